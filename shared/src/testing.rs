//! What the tests of wire types have in common.

use serde::Serialize;
use serde::de::DeserializeOwned;

/// Checks that a value has this wire form, and is read from it.
pub(crate) fn survives<T>(value: &T, wire: &str)
where
    T: Serialize + DeserializeOwned + PartialEq + std::fmt::Debug,
{
    assert_eq!(serde_json::to_string(value).unwrap(), wire);
    assert_eq!(&serde_json::from_str::<T>(wire).unwrap(), value);
}
