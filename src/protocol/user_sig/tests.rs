//! Holds userSigs against the reference vectors, keys of OpenSSL, and hostile texts.

use std::io::Read;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use flate2::Compression;
use flate2::read::ZlibEncoder;
use proptest::prelude::*;

use super::error::UserSigError;
use super::keys::{SigningKey, VerifyingKey};
use super::statement::{Claims, DEFAULT_VALID_SECONDS, Form, make, verify};

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

const SECRET: &str = "5bd2850fff3ecb11d7c805251c51ee463a25727bddc2385f3fa8bfee1bb93b5e";
const SECOND: &str = "eJyrVgrxCdYrSy1SslJQMtIzUNJRAItkpqTmlWSmZUIksjPzi7N1DWGSxSnZiQUFmSlAKUMTAyiAyqVWFGQWpYJkTE1NjRDiJZm5YFFzNPXFmekgG7zd3TJKs9wzy7Qr3IJKQnOzkhNdSvyDjQMKCsNMTb198yv9PDPCXR3TSk1slWoB5XUzcg__";

#[test]
fn the_second_form_is_made_and_verified_with_a_secret_key() {
    let key = SigningKey::from_text(&format!("{SECRET}\n")).unwrap();
    let verifying = key.verifying_key();
    let claims = Claims {
        sdk_app_id: 1_400_000_000,
        account_type: "0".into(),
        identifier: "kiosk-1".into(),
        time: 1_700_000_000,
        expire_after: 15_552_000,
    };
    let verify = |sig: &str, user| verify(&verifying, sig, 1_400_000_000, user, NOW);
    assert_eq!(verify(SECOND, "kiosk-1"), Ok(claims.clone()));
    let made = make(&key, &claims, Form::Node).unwrap();
    assert_eq!(verify(&made, "kiosk-1"), Ok(claims.clone()));
    assert_eq!(super::statement::peek(&made), Ok(claims));
    assert!(matches!(
        verify(&made, "eve"),
        Err(UserSigError::OtherUser(_))
    ));
    assert!(!format!("{key:?} {verifying:?}").contains(SECRET));
    // What another key signed, and the first form, open nothing here; nor the second one there.
    let other = SigningKey::from_text(&SECRET.replace('5', "6")).unwrap();
    let forged = make(&other, &reference_claims("0"), Form::Node).unwrap();
    let app = |sig: &str, key: &VerifyingKey| super::statement::verify(key, sig, APP, USER, NOW);
    assert_eq!(app(&forged, &verifying), Err(UserSigError::BadSignature));
    assert_eq!(app(NODE, &verifying), Err(UserSigError::BadSignature));
    let pair = VerifyingKey::from_pem(PUBLIC).unwrap();
    assert_eq!(app(&forged, &pair), Err(UserSigError::BadSignature));
}

#[test]
fn keys_behind_their_parameters_are_read() {
    for curve in ["prime256v1", "secp256k1"] {
        let pem = openssl(&format!("ecparam -name {curve} -genkey"));
        assert!(pem.starts_with("-----BEGIN EC PARAMETERS-----"), "{pem}");
        let key = SigningKey::from_text(&pem).unwrap();
        let made = make(&key, &reference_claims("1"), Form::Node).unwrap();
        let verified = verify(&key.verifying_key(), &made, APP, USER, NOW);
        assert_eq!(verified, Ok(reference_claims("1")));
    }
    for rubbish in ["", "hello", "secret key of 32 characters here"] {
        assert!(SigningKey::from_text(rubbish).is_err(), "{rubbish}");
    }
}
