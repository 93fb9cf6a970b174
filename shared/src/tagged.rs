//! Enums that are JSON objects with a `type`: the type is read first, then the fields of its
//! variant.
//!
//! The code that serde derives for such enums first copies each message into a tree of values, and
//! so also needs code that reads every field's type from such a tree. That was a tenth of what a
//! browser and a Worker load. Here serde only derives reading from text.

use std::borrow::Cow;

use serde::de::{DeserializeSeed, EnumAccess, IntoDeserializer as _, VariantAccess, Visitor};
use serde::{Deserialize, Deserializer, forward_to_deserialize_any};
use serde_json::{Error, Result};

/// Derives `Serialize` for an enum, and gives it a `read` that parses the same form. Attributes are
/// serde's.
macro_rules! tagged {
    ($(#[$attribute:meta])* $visibility:vis enum $name:ident { $($variants:tt)* }) => {
        $(#[$attribute])*
        #[derive(serde::Serialize)]
        #[serde(tag = "type", rename_all = "kebab-case", rename_all_fields = "camelCase")]
        $visibility enum $name { $($variants)* }

        impl $name {
            fn read(text: &str) -> serde_json::Result<Self> {
                type Tagged = $name;
                #[derive(serde::Deserialize)]
                #[serde(
                    remote = "Tagged",
                    rename_all = "kebab-case",
                    rename_all_fields = "camelCase"
                )]
                enum Variants { $($variants)* }
                Variants::deserialize($crate::tagged::TaggedObject::parse(text)?)
            }
        }
    };
}

pub(crate) use tagged;

/// The type of an object, and the object's whole text.
#[derive(Deserialize)]
pub(crate) struct TaggedObject<'a> {
    #[serde(rename = "type", borrow)]
    kind: Cow<'a, str>,
    #[serde(skip)]
    text: &'a str,
}

impl<'a> TaggedObject<'a> {
    /// Parses the type.
    ///
    /// # Errors
    /// An error if the text is not JSON, or not an object with a type.
    pub(crate) fn parse(text: &'a str) -> Result<Self> {
        Ok(Self { text, ..serde_json::from_str(text)? })
    }
}

/// Deserializes as an enum, whatever is asked for.
impl<'de> Deserializer<'de> for TaggedObject<'de> {
    type Error = Error;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value> {
        visitor.visit_enum(self)
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf option
        unit unit_struct newtype_struct seq tuple tuple_struct map struct enum identifier
        ignored_any
    }
}

impl<'de> EnumAccess<'de> for TaggedObject<'de> {
    type Error = Error;
    type Variant = Fields<'de>;

    fn variant_seed<V: DeserializeSeed<'de>>(self, seed: V) -> Result<(V::Value, Fields<'de>)> {
        let variant: Result<_> = seed.deserialize((&*self.kind).into_deserializer());
        Ok((variant?, Fields(self.text)))
    }
}

/// The fields of a variant. The type is still among them, and is ignored as an unknown field.
pub(crate) struct Fields<'a>(&'a str);

impl<'de> VariantAccess<'de> for Fields<'de> {
    type Error = Error;

    fn unit_variant(self) -> Result<()> {
        Ok(())
    }

    fn newtype_variant_seed<T: DeserializeSeed<'de>>(self, seed: T) -> Result<T::Value> {
        seed.deserialize(&mut serde_json::Deserializer::from_str(self.0))
    }

    fn tuple_variant<V: Visitor<'de>>(self, len: usize, visitor: V) -> Result<V::Value> {
        serde_json::Deserializer::from_str(self.0).deserialize_tuple(len, visitor)
    }

    fn struct_variant<V: Visitor<'de>>(
        self,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value> {
        serde_json::Deserializer::from_str(self.0).deserialize_struct("", fields, visitor)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde::Serialize;
    use serde_json::json;

    macro_rules! twins {
        ($($variants:tt)*) => {
            tagged! {
                enum Ours { $($variants)* }
            }

            #[derive(Serialize, Deserialize)]
            #[serde(tag = "type", rename_all = "kebab-case", rename_all_fields = "camelCase")]
            enum Derived { $($variants)* }
        };
    }

    twins! {
        Whole(Fields),
        Boxed(Box<Fields>),
        SomeFields {
            whole_number: u8,
            text: Option<String>,
            #[serde(default)]
            list: Vec<Fields>,
        },
        Nothing,
        #[serde(other)]
        Unknown,
    }

    #[derive(Serialize, Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Fields {
        whole_number: u8,
    }

    #[test]
    fn every_message_is_read_as_serde_would() {
        let texts = [
            r#"{"type":"whole","wholeNumber":1}"#,
            r#"{"wholeNumber":1,"type":"whole","more":[{}]}"#,
            r#"{"type":"whole","whole_number":1}"#,
            r#"{"type":"whole","wholeNumber":256}"#,
            r#"{"type":"whole","wholeNumber":1,"wholeNumber":1}"#,
            r#"{"type":"whole","type":"whole","wholeNumber":1}"#,
            r#"{"type":"whole"}"#,
            r#"{"type":"boxed","wholeNumber":1}"#,
            r#"{"type":"some-fields","wholeNumber":1,"text":null}"#,
            r#"{"type":"some-fields","wholeNumber":1,"list":[{"wholeNumber":2}]}"#,
            r#"{"type":"some\u002dfields","wholeNumber":1,"text":"\u0000"}"#,
            r#"{"type":"some-fields","text":"a"}"#,
            r#"{"type":"some-fields","wholeNumber":1,"text":"\ud800"}"#,
            r#"{"type":"nothing"}"#,
            r#"{"type":"nothing","more":1}"#,
            r#"{"type":"dance","wholeNumber":"x"}"#,
            r#"{"type":""}"#,
            r#"{"type":"nothing"}{}"#,
            r#"{"type":"nothing""#,
            r#"{"type":null}"#,
            r#"{"type":["nothing"]}"#,
            r#"{"wholeNumber":1}"#,
            r#"["whole"]"#,
            r#""nothing""#,
            "{}",
            "[]",
            "1",
            "",
        ];
        for text in texts {
            let read = Ours::read(text).ok().map(|read| json!(read));
            let derived = serde_json::from_str::<Derived>(text).ok().map(|derived| json!(derived));
            assert_eq!(read, derived, "{text}");
        }
    }

    #[test]
    fn what_is_read_is_what_is_written() {
        let text = r#"{"type":"some-fields","wholeNumber":1,"text":null,"list":[]}"#;
        let read = Ours::read(text).unwrap();
        assert_eq!(serde_json::to_string(&read).unwrap(), text);
    }
}
