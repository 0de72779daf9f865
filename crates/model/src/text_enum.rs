//! Closed sets of words: one byte in memory, the exact word in JSON and in text.

/// A text that is not one of the words of a closed set.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("invalid {what} {text:?}: must be one of {allowed}")]
pub struct UnknownWord {
    /// What kind of word was wanted.
    pub what: &'static str,
    /// What was given.
    pub text: String,
    /// The words that exist, joined by commas.
    pub allowed: String,
}

/// Declares an enum whose variants are exact words; the first variant is the default and what an empty text means.
macro_rules! text_enum {
    ($(#[$doc:meta])* $name:ident as $what:literal {
        $(#[$fdoc:meta])* $first:ident = $first_text:literal $(, $(#[$vdoc:meta])* $variant:ident = $text:literal)* $(,)?
    }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
        pub enum $name {
            #[doc = concat!("`", $first_text, "`")]
            $(#[$fdoc])*
            #[default]
            $first,
            $(#[doc = concat!("`", $text, "`")] $(#[$vdoc])* $variant,)*
        }

        impl $name {
            /// Every member, in the order of declaration.
            pub const ALL: &'static [Self] = &[Self::$first $(, Self::$variant)*];

            /// The exact word.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self {
                    Self::$first => $first_text,
                    $(Self::$variant => $text,)*
                }
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.pad(self.as_str())
            }
        }

        impl std::str::FromStr for $name {
            type Err = $crate::text_enum::UnknownWord;
            fn from_str(text: &str) -> Result<Self, Self::Err> {
                match text {
                    $first_text => Ok(Self::$first),
                    $($text => Ok(Self::$variant),)*
                    "" => Ok(Self::default()),
                    _ => Err($crate::text_enum::UnknownWord {
                        what: $what,
                        text: text.to_owned(),
                        allowed: Self::ALL.iter().map(|word| word.as_str()).collect::<Vec<_>>().join(", "),
                    }),
                }
            }
        }

        impl PartialEq<&str> for $name {
            fn eq(&self, other: &&str) -> bool {
                self.as_str() == *other
            }
        }

        impl serde::Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(self.as_str())
            }
        }

        impl<'de> serde::Deserialize<'de> for $name {
            /// The exact word; empty text and null are the default.
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                struct Visitor;
                impl serde::de::Visitor<'_> for Visitor {
                    type Value = $name;
                    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                        f.write_str(concat!("a ", $what))
                    }
                    fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<$name, E> {
                        text.parse().map_err(E::custom)
                    }
                    fn visit_unit<E: serde::de::Error>(self) -> Result<$name, E> {
                        Ok($name::default())
                    }
                }
                deserializer.deserialize_any(Visitor)
            }
        }
    };
}
pub(crate) use text_enum;

#[cfg(test)]
#[allow(unreachable_pub, reason = "the macro declares public enums")]
mod tests {
    text_enum! {
        /// Two words.
        Sample as "sample" { One = "one", Two = "two" }
    }

    #[test]
    fn words_go_through_text_and_json_exactly() {
        assert_eq!("two".parse::<Sample>().unwrap(), Sample::Two);
        assert_eq!("".parse::<Sample>().unwrap(), Sample::One);
        assert_eq!(serde_json::to_string(&Sample::Two).unwrap(), "\"two\"");
        assert_eq!(serde_json::from_str::<Sample>("null").unwrap(), Sample::One);
        let error = "Two".parse::<Sample>().unwrap_err();
        assert_eq!(
            error.to_string(),
            "invalid sample \"Two\": must be one of one, two"
        );
    }
}
