//! The signed statement itself: its fields in both published forms, how it is packed, and whether it
//! still holds.

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

/// The signed fields, in the order in which they are signed.
enum Fields {
    /// The first form, for pairs of keys.
    One {
        appid_at_3rd: String,
        account_type: String,
        statement: Statement,
    },
    /// The second form, for a secret key.
    Two {
        statement: Statement,
        /// Base64 of what else the signer says.
        user_buf: Option<String>,
    },
}

/// Content of both forms.
struct Statement {
    identifier: String,
    sdk_appid: String,
    time: String,
    expire_after: String,
}

impl Fields {
    fn new(key: &SigningKey, claims: &Claims, form: Form) -> Self {
        let statement = Statement {
            identifier: claims.identifier.clone(),
            sdk_appid: claims.sdk_app_id.to_string(),
            time: claims.time.to_string(),
            expire_after: claims.expire_after.to_string(),
        };
        if matches!(key, SigningKey::Secret(_)) {
            let user_buf = None;
            return Self::Two {
                statement,
                user_buf,
            };
        }
        let (appid_at_3rd, account_type) = match form {
            Form::Node => (claims.sdk_app_id.to_string(), claims.account_type.clone()),
            Form::Java => ("0".to_owned(), "0".to_owned()),
        };
        Self::One {
            appid_at_3rd,
            account_type,
            statement,
        }
    }

    fn from_json(json: &Value) -> Result<Self, UserSigError> {
        let field = |key: &str| match json.get(key) {
            Some(Value::String(text)) => Ok(text.clone()),
            Some(Value::Number(number)) => Ok(number.to_string()),
            _ => Err(UserSigError::Malformed("a field is missing")),
        };
        if json.get("TLS.ver").is_some() {
            return Ok(Self::Two {
                statement: Statement {
                    identifier: field("TLS.identifier")?,
                    sdk_appid: field("TLS.sdkappid")?,
                    time: field("TLS.time")?,
                    expire_after: field("TLS.expire")?,
                },
                user_buf: json
                    .get("TLS.userbuf")
                    .map(|_| field("TLS.userbuf"))
                    .transpose()?,
            });
        }
        Ok(Self::One {
            appid_at_3rd: field("TLS.appid_at_3rd")?,
            account_type: field("TLS.account_type")?,
            statement: Statement {
                identifier: field("TLS.identifier")?,
                sdk_appid: field("TLS.sdk_appid")?,
                time: field("TLS.time")?,
                expire_after: field("TLS.expire_after")?,
            },
        })
    }

    fn statement(&self) -> &Statement {
        match self {
            Self::One { statement, .. } | Self::Two { statement, .. } => statement,
        }
    }

    fn signed_text(&self) -> String {
        let Statement {
            identifier,
            sdk_appid,
            time,
            expire_after,
        } = self.statement();
        match self {
            Self::One {
                appid_at_3rd,
                account_type,
                ..
            } => format!(
                "TLS.appid_at_3rd:{appid_at_3rd}\nTLS.account_type:{account_type}\n\
                 TLS.identifier:{identifier}\nTLS.sdk_appid:{sdk_appid}\n\
                 TLS.time:{time}\nTLS.expire_after:{expire_after}\n"
            ),
            Self::Two { user_buf, .. } => {
                let rest = user_buf
                    .as_deref()
                    .map(|text| format!("TLS.userbuf:{text}\n"));
                format!(
                    "TLS.identifier:{identifier}\nTLS.sdkappid:{sdk_appid}\nTLS.time:{time}\n\
                     TLS.expire:{expire_after}\n{}",
                    rest.unwrap_or_default()
                )
            }
        }
    }

    /// The JSON that goes out, without the signature.
    fn packed(&self, claims: &Claims, form: Form) -> Value {
        let statement = self.statement();
        match self {
            Self::One {
                appid_at_3rd,
                account_type,
                ..
            } => {
                let mut packed = json!({
                    "TLS.appid_at_3rd": appid_at_3rd,
                    "TLS.account_type": account_type,
                    "TLS.identifier": statement.identifier,
                    "TLS.sdk_appid": statement.sdk_appid,
                    "TLS.time": statement.time,
                    "TLS.expire_after": statement.expire_after,
                });
                if form == Form::Java {
                    packed["TLS.version"] = "201512300000".into();
                }
                packed
            }
            Self::Two { .. } => json!({
                "TLS.ver": "2.0",
                "TLS.identifier": statement.identifier,
                "TLS.sdkappid": claims.sdk_app_id,
                "TLS.time": claims.time,
                "TLS.expire": claims.expire_after,
            }),
        }
    }
}

/// Makes a userSig: of the second form with a secret key, else of the first.
///
/// # Errors
/// [`UserSigError::Signing`] if the key does not sign.
pub fn make(key: &SigningKey, claims: &Claims, form: Form) -> Result<String, UserSigError> {
    let fields = Fields::new(key, claims, form);
    let signature = key.sign(fields.signed_text().as_bytes())?;
    let mut packed = fields.packed(claims, form);
    packed["TLS.sig"] = BASE64.encode(signature).into();
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

/// Reads what a userSig says, without a key: nobody has vouched for it.
///
/// # Errors
/// It cannot be decoded.
pub fn peek(user_sig: &str) -> Result<Claims, UserSigError> {
    claims(Fields::from_json(&unpack(user_sig)?)?)
}

fn claims(fields: Fields) -> Result<Claims, UserSigError> {
    let number = |text: &str| {
        text.parse::<u64>()
            .map_err(|_| UserSigError::Malformed("a time or an application is not a number"))
    };
    let (account_type, statement) = match fields {
        Fields::One {
            account_type,
            statement,
            ..
        } => (account_type, statement),
        Fields::Two { statement, .. } => ("0".to_owned(), statement),
    };
    Ok(Claims {
        sdk_app_id: number(&statement.sdk_appid)?,
        account_type,
        time: number(&statement.time)?,
        expire_after: number(&statement.expire_after)?,
        identifier: statement.identifier,
    })
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
    let statement = fields.statement();
    if statement.sdk_appid != sdk_app_id.to_string() {
        return Err(UserSigError::OtherApp(excerpt(&statement.sdk_appid)));
    }
    if statement.identifier != user_id {
        return Err(UserSigError::OtherUser(excerpt(&statement.identifier)));
    }
    let text = fields.signed_text();
    let fits = match &fields {
        Fields::One { .. } => !matches!(key, VerifyingKey::Secret(_)),
        Fields::Two { .. } => matches!(key, VerifyingKey::Secret(_)),
    };
    let claims = claims(fields)?;
    if claims.time > now + CLOCK_SKEW_SECONDS {
        return Err(UserSigError::NotYetValid(claims.time - now));
    }
    let expires = claims.time.saturating_add(claims.expire_after);
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
    if !fits {
        return Err(UserSigError::BadSignature);
    }
    key.verify(text.as_bytes(), &signature)?;
    Ok(claims)
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
