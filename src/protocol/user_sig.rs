//! userSig, version 1 of Tencent's TLS signature: the signed statement "this application
//! vouches for this user until then", which rooms and message channels accept as a login.
//!
//! Six lines are signed (SHA-256 with ECDSA or RSA PKCS#1 v1.5), packed as JSON, deflated
//! and written in a base64 that needs no escaping in a query.

use std::io::Read;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use flate2::Compression;
use flate2::read::{ZlibDecoder, ZlibEncoder};
use p256::ecdsa::signature::{Signer, Verifier};
use p256::pkcs8::{DecodePrivateKey, DecodePublicKey};
use ring::signature::{self, RsaKeyPair};
use serde_json::{Value, json};
use spki::der::Decode;

use super::excerpt;

/// Seconds a userSig is valid: 30 days, as both official servers sign.
pub const DEFAULT_VALID_SECONDS: u64 = 2_592_000;

/// Bytes that a userSig may inflate to; real ones have a few hundred.
const MAX_INFLATED: u64 = 16 * 1024;

/// Why a key or a userSig cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum UserSigError {
    #[error("the key is not a PEM private key of RSA (2048 bits or more), P-256 or secp256k1")]
    BadPrivateKey,
    #[error("the key is not a PEM public key of RSA, P-256 or secp256k1")]
    BadPublicKey,
    #[error("the text could not be signed")]
    Signing,
    #[error("the userSig cannot be decoded: {0}")]
    Malformed(&'static str),
    #[error("the userSig is for sdkAppID {0}")]
    OtherApp(String),
    #[error("the userSig is for user {0}")]
    OtherUser(String),
    #[error("the userSig expired {0} s ago")]
    Expired(u64),
    #[error("the userSig is not yet valid: it was made {0} s in the future")]
    NotYetValid(u64),
    #[error("the signature of the userSig is wrong")]
    BadSignature,
}

/// Which official server is to accept the signature.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// Also what Tencent's message service takes.
    Node,
    /// The Java server rebuilds the signed text with zeros and refuses everything else.
    Java,
}

/// What a userSig says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claims {
    pub sdk_app_id: u64,
    pub account_type: String,
    /// The userID.
    pub identifier: String,
    /// Unix seconds of signing.
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

/// A private key that makes userSigs.
pub enum SigningKey {
    Rsa(RsaKeyPair),
    P256(p256::ecdsa::SigningKey),
    K256(k256::ecdsa::SigningKey),
}

impl std::fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Rsa(_) => "SigningKey::Rsa([redacted])",
            Self::P256(_) => "SigningKey::P256([redacted])",
            Self::K256(_) => "SigningKey::K256([redacted])",
        })
    }
}

impl SigningKey {
    /// Reads a PEM private key: PKCS#8, SEC1 (`EC PRIVATE KEY`) or PKCS#1 (`RSA PRIVATE KEY`).
    ///
    /// # Errors
    /// [`UserSigError::BadPrivateKey`] for anything else.
    pub fn from_pem(text: &str) -> Result<Self, UserSigError> {
        let pem = pem::parse(text).map_err(|_| UserSigError::BadPrivateKey)?;
        let der = pem.contents();
        if let Some(key) = p256::SecretKey::from_pkcs8_der(der)
            .ok()
            .or_else(|| p256::SecretKey::from_sec1_pem(text).ok())
        {
            return Ok(Self::P256(key.into()));
        }
        if let Some(key) = k256::SecretKey::from_pkcs8_der(der)
            .ok()
            .or_else(|| k256::SecretKey::from_sec1_pem(text).ok())
        {
            return Ok(Self::K256(key.into()));
        }
        RsaKeyPair::from_pkcs8(der)
            .or_else(|_| RsaKeyPair::from_der(der))
            .map(Self::Rsa)
            .map_err(|_| UserSigError::BadPrivateKey)
    }

    /// A P-256 key from 32 random bytes; `None` for the few values that are no key.
    #[must_use]
    pub fn p256_from_bytes(random: &[u8; 32]) -> Option<Self> {
        p256::SecretKey::from_slice(random)
            .ok()
            .map(|key| Self::P256(key.into()))
    }

    /// The key that verifies what this one signs.
    #[must_use]
    pub fn verifying_key(&self) -> VerifyingKey {
        match self {
            Self::Rsa(key) => VerifyingKey::Rsa(key.public().as_ref().to_vec()),
            Self::P256(key) => VerifyingKey::P256(*key.verifying_key()),
            Self::K256(key) => VerifyingKey::K256(*key.verifying_key()),
        }
    }

    fn sign(&self, text: &[u8]) -> Result<Vec<u8>, UserSigError> {
        match self {
            Self::Rsa(key) => {
                let mut signature = vec![0; key.public().modulus_len()];
                let random = ring::rand::SystemRandom::new();
                key.sign(&signature::RSA_PKCS1_SHA256, &random, text, &mut signature)
                    .map_err(|_| UserSigError::Signing)?;
                Ok(signature)
            }
            Self::P256(key) => {
                let signature: p256::ecdsa::DerSignature = key.sign(text);
                Ok(signature.as_bytes().to_vec())
            }
            Self::K256(key) => {
                let signature: k256::ecdsa::DerSignature = key.sign(text);
                Ok(signature.as_bytes().to_vec())
            }
        }
    }
}

/// A public key that verifies userSigs.
#[derive(Debug, Clone)]
pub enum VerifyingKey {
    /// DER of an `RSAPublicKey`.
    Rsa(Vec<u8>),
    P256(p256::ecdsa::VerifyingKey),
    K256(k256::ecdsa::VerifyingKey),
}

impl VerifyingKey {
    /// Reads a PEM `PUBLIC KEY`.
    ///
    /// # Errors
    /// [`UserSigError::BadPublicKey`] for anything else.
    pub fn from_pem(text: &str) -> Result<Self, UserSigError> {
        let pem = pem::parse(text).map_err(|_| UserSigError::BadPublicKey)?;
        let der = pem.contents();
        if let Ok(key) = p256::ecdsa::VerifyingKey::from_public_key_der(der) {
            return Ok(Self::P256(key));
        }
        if let Ok(key) = k256::ecdsa::VerifyingKey::from_public_key_der(der) {
            return Ok(Self::K256(key));
        }
        let info =
            spki::SubjectPublicKeyInfoRef::from_der(der).map_err(|_| UserSigError::BadPublicKey)?;
        if info.algorithm.oid != RSA_ENCRYPTION {
            return Err(UserSigError::BadPublicKey);
        }
        info.subject_public_key
            .as_bytes()
            .map(|key| Self::Rsa(key.to_vec()))
            .ok_or(UserSigError::BadPublicKey)
    }

    fn verify(&self, text: &[u8], signature: &[u8]) -> Result<(), UserSigError> {
        let valid = match self {
            Self::Rsa(key) => {
                signature::UnparsedPublicKey::new(&signature::RSA_PKCS1_2048_8192_SHA256, key)
                    .verify(text, signature)
                    .is_ok()
            }
            Self::P256(key) => p256::ecdsa::DerSignature::try_from(signature)
                .is_ok_and(|signature| key.verify(text, &signature).is_ok()),
            Self::K256(key) => {
                k256::ecdsa::DerSignature::try_from(signature).is_ok_and(|signature| {
                    // OpenSSL does not normalise S, and k256 accepts only the lower half.
                    k256::ecdsa::Signature::try_from(signature)
                        .is_ok_and(|signature| key.verify(text, &signature.normalize_s()).is_ok())
                })
            }
        };
        if valid {
            Ok(())
        } else {
            Err(UserSigError::BadSignature)
        }
    }
}

/// PKCS#1 `rsaEncryption` (RFC 8017, appendix C).
const RSA_ENCRYPTION: spki::ObjectIdentifier =
    spki::ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.1");

/// Makes a userSig.
///
/// # Errors
/// [`UserSigError::Signing`] when the key does not sign.
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
/// What is wrong with it; the signature is checked last, as the Node server does.
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

/// How far a signer's clock may run ahead: boards without a clock battery drift.
const CLOCK_SKEW_SECONDS: u64 = 600;

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

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const PUBLIC: &str = "-----BEGIN PUBLIC KEY-----
MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEZ9EM62o9z3femHbAqUaEAc2lL7pH
sCaxYHACArPAVyizKmMFOhwe5vm0IRmMobkKpNMoz5259i3Jpm1HKxcIzQ==
-----END PUBLIC KEY-----
";
    const NODE: &str = "eJxtjM1ugkAYRd-l27YpP4KkJF3gFBQFUwFtdxNwRvIJ4mQY*qPx3RuR1E3v8pzcc4YsSp9yIZDRXNGRZOCCYem3GfB489vtsWsUVT*CX705suxBIeONwh1yCS5UeGwr*ndrWUX79H9NhYe*5QxcHzj-Fig5zXeqT5r2s3mXLZbgQuyvSUgyrbZm9WJaVskmMiwWdA3GhTx0M7kn8UZbvSXkvbA9PfXQ9*pAfKQ4ieIkXBYiC*d7-wEn6Xj56mllsPqsp44zPq0l4V8vcPkFTGBSZQ__";
    const JAVA: &str = "eJxNjl9PgzAUR79LXzFKoZVA4gMpKNPNkcjmn5eGlG65oNC0HRszfnezwaL38Zzk3N83KuYv16VSUPHScl9XKEIuuhqxEN2utdwOSv7DUMnWwgakRhFqoDMNd-HkTNXwcw1FCBN3vIu08HXq4GDil6A8KNCSlxt7Tno09P6kgS2K0CJdsRkjRZDGM-XuED*Xy4URIYSSPL3dDGLLxPF2f59p*rHrByeGNA7YOnGy5yIBWud63dLDa13jJA8zk-fN5-Lx4bjSgpF4vr*bnvVSG*ja0wgXU*z548yfX8xFV1M_";
    const APP: u64 = 1_400_000_001;
    const USER: &str = "kiosk_01";
    const NOW: u64 = 1_700_000_100;

    fn reference_claims(account_type: &str) -> Claims {
        Claims {
            sdk_app_id: APP,
            account_type: account_type.into(),
            identifier: USER.into(),
            time: 1_700_000_000,
            expire_after: DEFAULT_VALID_SECONDS,
        }
    }

    #[test]
    fn verifies_the_reference_vectors() {
        let key = VerifyingKey::from_pem(PUBLIC).unwrap();
        assert_eq!(
            verify(&key, NODE, APP, USER, NOW),
            Ok(reference_claims("12345"))
        );
        assert_eq!(
            verify(&key, JAVA, APP, USER, NOW),
            Ok(reference_claims("0"))
        );
    }

    #[test]
    fn refuses_what_the_reference_does_not_say() {
        let key = VerifyingKey::from_pem(PUBLIC).unwrap();
        let app = APP.to_string();
        assert_eq!(
            verify(&key, JAVA, 1, USER, NOW),
            Err(UserSigError::OtherApp(app))
        );
        assert_eq!(
            verify(&key, NODE, APP, "bob", NOW),
            Err(UserSigError::OtherUser(USER.into()))
        );
        let late = 1_700_000_000 + DEFAULT_VALID_SECONDS + 5;
        assert_eq!(
            verify(&key, NODE, APP, USER, late),
            Err(UserSigError::Expired(5))
        );
        let early = verify(&key, NODE, APP, USER, 1_600_000_000);
        assert_eq!(early, Err(UserSigError::NotYetValid(100_000_000)));
        let other = SigningKey::p256_from_bytes(&[7; 32])
            .unwrap()
            .verifying_key();
        assert_eq!(
            verify(&other, NODE, APP, USER, NOW),
            Err(UserSigError::BadSignature)
        );
    }

    /// Makes keys with OpenSSL, as operators do.
    fn openssl(arguments: &str) -> String {
        let output = std::process::Command::new("openssl")
            .args(arguments.split(' '))
            .output()
            .expect("openssl is installed");
        assert!(
            output.status.success(),
            "{}",
            String::from_utf8_lossy(&output.stderr)
        );
        String::from_utf8(output.stdout).unwrap()
    }

    #[test]
    fn makes_and_verifies_with_every_kind_of_key() {
        for arguments in [
            "genpkey -quiet -algorithm RSA -pkeyopt rsa_keygen_bits:2048",
            "genpkey -quiet -algorithm EC -pkeyopt ec_paramgen_curve:P-256",
            "genpkey -quiet -algorithm EC -pkeyopt ec_paramgen_curve:secp256k1",
            "ecparam -name prime256v1 -genkey -noout",
            "ecparam -name secp256k1 -genkey -noout",
        ] {
            let dir = tempfile::tempdir().unwrap();
            let path = dir.path().join("key.pem");
            let private = openssl(&arguments.replace(" -quiet", ""));
            std::fs::write(&path, &private).unwrap();
            let public = openssl(&format!("pkey -in {} -pubout", path.display()));
            let signer = SigningKey::from_pem(&private).unwrap();
            let published = VerifyingKey::from_pem(&public).unwrap();
            for form in [Form::Node, Form::Java] {
                let sig = make(&signer, &reference_claims("12345"), form).unwrap();
                for key in [&published, &signer.verifying_key()] {
                    assert!(
                        verify(key, &sig, APP, USER, NOW).is_ok(),
                        "{arguments} {form:?}"
                    );
                }
            }
        }
    }

    #[test]
    fn bad_keys_are_named() {
        assert_eq!(
            SigningKey::from_pem("x").unwrap_err(),
            UserSigError::BadPrivateKey
        );
        assert_eq!(
            SigningKey::from_pem(PUBLIC).unwrap_err(),
            UserSigError::BadPrivateKey
        );
        assert_eq!(
            VerifyingKey::from_pem("x").unwrap_err(),
            UserSigError::BadPublicKey
        );
    }

    #[test]
    fn a_bomb_inflates_only_to_the_limit() {
        let mut deflated = Vec::new();
        let zeros = vec![b'0'; 50_000_000];
        ZlibEncoder::new(zeros.as_slice(), Compression::best())
            .read_to_end(&mut deflated)
            .unwrap();
        let bomb = BASE64
            .encode(deflated)
            .replace('+', "*")
            .replace('/', "-")
            .replace('=', "_");
        let key = VerifyingKey::from_pem(PUBLIC).unwrap();
        let refused = verify(&key, &bomb, APP, USER, NOW);
        assert_eq!(refused, Err(UserSigError::Malformed("not JSON")));
    }

    proptest! {
        #[test]
        fn never_panics(text in ".{0,80}") {
            let key = VerifyingKey::from_pem(PUBLIC).unwrap();
            prop_assert!(verify(&key, &text, APP, USER, NOW).is_err());
        }
    }
}
