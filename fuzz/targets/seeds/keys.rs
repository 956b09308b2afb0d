//! Keys in every form in which they are written.

use std::error::Error;

use signing::{EncryptedKey, Fresh, Passphrase, SigningKey};
use zeroize::Zeroizing;

/// One key, private, locked and public, as PEM and DER.
pub(crate) fn keys() -> Result<Vec<Vec<u8>>, Box<dyn Error>> {
    let key = SigningKey::from_seed([7; 32]);
    let passphrase = Passphrase::new(Zeroizing::new(b"a seed".to_vec()))?;
    let locked = EncryptedKey::lock(&key, &passphrase, Fresh { salt: [1; 16], iv: [2; 16] });
    let public = key.public_key();
    Ok(vec![
        key.to_pem().as_bytes().to_vec(),
        key.to_der().to_vec(),
        locked.to_pem().into_bytes(),
        locked.to_der(),
        public.to_pem().into_bytes(),
        public.to_der(),
    ])
}
