//! The signed statement itself: its six fields, how it is packed, and whether it still holds.

use std::io::Read;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use flate2::Compression;
use flate2::read::{ZlibDecoder, ZlibEncoder};
use serde_json::{Value, json};

use super::error::UserSigError;
use super::keys::{SigningKey, VerifyingKey};
use crate::protocol::excerpt::excerpt;

/// Seconds for which a userSig is valid: 30 days, as both official servers sign.
pub const DEFAULT_VALID_SECONDS: u64 = 2_592_000;

/// Maximum size of an inflated userSig, in bytes; real ones have a few hundred.
const MAX_INFLATED: u64 = 16 * 1024;

/// Seconds by which a signer's clock may run ahead: boards without a clock battery drift.
const CLOCK_SKEW_SECONDS: u64 = 600;

/// The form of a userSig, by the official server that is to accept it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// For the Node server and for Tencent's message service.
    Node,
    /// For the Java server, which rebuilds the signed text with zeros and refuses all else.
    Java,
}

/// The content of a userSig.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claims {
    pub sdk_app_id: u64,
    pub account_type: String,
    /// The userID.
    pub identifier: String,
    /// Moment of signing, in unix seconds.
    pub time: u64,
    /// Seconds of validity from `time`.
    pub expire_after: u64,
}

/// The six signed fields, in the order in which they are signed.
struct Fields {
    appid_at_3rd: String,
    account_type: String,
    identifier: String,
    sdk_appid: String,
    time: String,
    expire_after: String,
}

impl Fields {
    fn new(claims: &Claims, form: Form) -> Self {
        let (appid_at_3rd, account_type) = match form {
            Form::Node => (claims.sdk_app_id.to_string(), claims.account_type.clone()),
            Form::Java => ("0".to_owned(), "0".to_owned()),
        };
        Self {
            appid_at_3rd,
            account_type,
            identifier: claims.identifier.clone(),
            sdk_appid: claims.sdk_app_id.to_string(),
            time: claims.time.to_string(),
            expire_after: claims.expire_after.to_string(),
        }
    }

    fn from_json(json: &Value) -> Result<Self, UserSigError> {
        let field = |key: &str| match json.get(key) {
            Some(Value::String(text)) => Ok(text.clone()),
            Some(Value::Number(number)) => Ok(number.to_string()),
            _ => Err(UserSigError::Malformed("a field is missing")),
        };
        Ok(Self {
            appid_at_3rd: field("TLS.appid_at_3rd")?,
            account_type: field("TLS.account_type")?,
            identifier: field("TLS.identifier")?,
            sdk_appid: field("TLS.sdk_appid")?,
            time: field("TLS.time")?,
            expire_after: field("TLS.expire_after")?,
        })
    }

    fn signed_text(&self) -> String {
        format!(
            "TLS.appid_at_3rd:{}\nTLS.account_type:{}\nTLS.identifier:{}\nTLS.sdk_appid:{}\n\
             TLS.time:{}\nTLS.expire_after:{}\n",
            self.appid_at_3rd,
            self.account_type,
            self.identifier,
            self.sdk_appid,
            self.time,
            self.expire_after
        )
    }
}

/// Makes a userSig.
///
/// # Errors
/// [`UserSigError::Signing`] if the key does not sign.
pub fn make(key: &SigningKey, claims: &Claims, form: Form) -> Result<String, UserSigError> {
    let fields = Fields::new(claims, form);
    let signature = key.sign(fields.signed_text().as_bytes())?;
    let mut packed = json!({
        "TLS.appid_at_3rd": fields.appid_at_3rd,
        "TLS.account_type": fields.account_type,
        "TLS.identifier": fields.identifier,
        "TLS.sdk_appid": fields.sdk_appid,
        "TLS.time": fields.time,
        "TLS.expire_after": fields.expire_after,
        "TLS.sig": BASE64.encode(signature),
    });
    if form == Form::Java {
        packed["TLS.version"] = "201512300000".into();
    }
    let mut deflated = Vec::new();
    ZlibEncoder::new(packed.to_string().as_bytes(), Compression::default())
        .read_to_end(&mut deflated)
        .map_err(|_| UserSigError::Signing)?;
    Ok(BASE64
        .encode(deflated)
        .replace('+', "*")
        .replace('/', "-")
        .replace('=', "_"))
}

/// Verifies a userSig of either form for one application and one user at `now` (unix seconds).
///
/// # Errors
/// The first fault; the signature is checked last, as the Node server does.
pub fn verify(
    key: &VerifyingKey,
    user_sig: &str,
    sdk_app_id: u64,
    user_id: &str,
    now: u64,
) -> Result<Claims, UserSigError> {
    let json = unpack(user_sig)?;
    let fields = Fields::from_json(&json)?;
    if fields.sdk_appid != sdk_app_id.to_string() {
        return Err(UserSigError::OtherApp(excerpt(&fields.sdk_appid)));
    }
    if fields.identifier != user_id {
        return Err(UserSigError::OtherUser(excerpt(&fields.identifier)));
    }
    let seconds = |text: &str| {
        text.parse::<u64>()
            .map_err(|_| UserSigError::Malformed("a time is not a number"))
    };
    let (time, expire_after) = (seconds(&fields.time)?, seconds(&fields.expire_after)?);
    if time > now + CLOCK_SKEW_SECONDS {
        return Err(UserSigError::NotYetValid(time - now));
    }
    let expires = time.saturating_add(expire_after);
    if expires < now {
        return Err(UserSigError::Expired(now - expires));
    }
    let signature = json
        .get("TLS.sig")
        .and_then(Value::as_str)
        .unwrap_or_default();
    let signature = BASE64
        .decode(signature)
        .map_err(|_| UserSigError::Malformed("TLS.sig is not base64"))?;
    key.verify(fields.signed_text().as_bytes(), &signature)?;
    Ok(Claims {
        sdk_app_id,
        account_type: fields.account_type,
        identifier: fields.identifier,
        time,
        expire_after,
    })
}

fn unpack(user_sig: &str) -> Result<Value, UserSigError> {
    let base64 = user_sig
        .replace('*', "+")
        .replace('-', "/")
        .replace('_', "=");
    let deflated = BASE64
        .decode(base64)
        .map_err(|_| UserSigError::Malformed("not base64"))?;
    let mut text = String::new();
    ZlibDecoder::new(deflated.as_slice())
        .take(MAX_INFLATED)
        .read_to_string(&mut text)
        .map_err(|_| UserSigError::Malformed("not deflated text"))?;
    serde_json::from_str(&text).map_err(|_| UserSigError::Malformed("not JSON"))
}
