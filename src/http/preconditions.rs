//! What must hold of a request before its body is read: address, method, content type, `Idempotency-Key`.

use crate::http::event::Header;
use crate::rejection::Rejection;
use crate::request::idempotency_key::IdempotencyKey;

/// The address of the import, as `msg` names it.
pub const ADDRESS: &str = "/api/integrate/audience/info/batchAdd";

/// The address that the platform has retired (the platform's page).
const RETIRED_ADDRESS: &str = "/api/integrate/audience/group/batchAdd";

/// Accepts `POST` to the address, with an optional trailing slash.
///
/// # Errors
/// Another path, or another method.
pub fn route(path: &str, method: &str) -> Result<(), Rejection> {
    let path = path.strip_suffix('/').unwrap_or(path);
    if is_address(path, RETIRED_ADDRESS) {
        Err(Rejection::Retired)
    } else if !is_address(path, ADDRESS) {
        Err(Rejection::NotFound)
    } else if method != "POST" {
        Err(Rejection::MethodNotAllowed)
    } else {
        Ok(())
    }
}

/// Whether `path` is `address`, possibly after a stage or a base path of any depth.
fn is_address(path: &str, address: &str) -> bool {
    path.strip_suffix(address).is_some_and(|prefix| {
        prefix.is_empty()
            || prefix.strip_prefix('/').is_some_and(|base| base.split('/').all(|segment| !segment.is_empty()))
    })
}

/// The header with a repeated value taken once. HTTP APIs join the values of a repeated header by commas, REST APIs list
/// them. Different values that were joined stay as they are: they could be one that contains a comma.
pub fn once(header: Header<'_>) -> Header<'_> {
    match header {
        Header::Value(joined) => Header::Value(match joined.split_once(',') {
            Some((first, others))
                if !first.is_empty() && others.split(',').all(|other| other.trim_start() == first) =>
            {
                first
            }
            _ => joined,
        }),
        header => header,
    }
}

/// The key of a request, if any.
///
/// # Errors
/// The key is invalid, or there are several different ones.
pub fn idempotency_key(header: Header<'_>) -> Result<Option<IdempotencyKey>, Rejection> {
    let key = match once(header) {
        Header::Absent => return Ok(None),
        Header::Value(text) => IdempotencyKey::parse(text),
        Header::Several => None,
    };
    key.map(Some).ok_or_else(|| Rejection::invalid("Idempotency-Key", "1到255个可见ASCII字符"))
}

/// Accepts JSON, and a request without a content type.
///
/// # Errors
/// Another content type, or several different ones.
pub fn require_json(content_type: Header<'_>) -> Result<(), Rejection> {
    let is_json = |value: &str| {
        let media_type = value.split([';', ',']).next().unwrap_or_default();
        media_type.trim().eq_ignore_ascii_case("application/json")
    };
    match content_type {
        Header::Absent => Ok(()),
        Header::Value(value) if is_json(value) && !has_several(value) => Ok(()),
        Header::Value(_) | Header::Several => Err(Rejection::UnsupportedMediaType),
    }
}

/// Whether a value is several different ones: HTTP APIs join the values of a repeated header by commas.
fn has_several(value: &str) -> bool {
    let mut quoted = false;
    let mut values = value.split(|char| {
        quoted ^= char == '"';
        char == ',' && !quoted
    });
    let first = values.next().map(str::trim);
    values.any(|other| Some(other.trim()) != first)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::rejection::report;

    #[test]
    fn address_allows_a_base_path_and_a_slash() {
        for path in [
            ADDRESS.to_owned(),
            format!("{ADDRESS}/"),
            format!("/prod{ADDRESS}"),
            format!("/crm/v1/x{ADDRESS}/"),
            ADDRESS.repeat(2),
        ] {
            assert_eq!(route(&path, "POST"), Ok(()), "{path}");
            assert_eq!(route(&path, "GET"), Err(Rejection::MethodNotAllowed), "{path}");
            assert_eq!(route(&path, "post"), Err(Rejection::MethodNotAllowed), "{path}");
        }
    }

    #[test]
    fn other_paths_are_not_found() {
        let paths = [
            String::new(),
            "/".to_owned(),
            ADDRESS.to_uppercase(),
            format!("{ADDRESS}//"),
            format!("{ADDRESS}/x"),
            format!("/{ADDRESS}"),
            format!("/a//b{ADDRESS}"),
            format!("//a{ADDRESS}"),
            format!("/a/{ADDRESS}"),
            format!("x{ADDRESS}"),
            ADDRESS[1..].to_owned(),
        ];
        for path in paths {
            assert_eq!(route(&path, "POST"), Err(Rejection::NotFound), "{path}");
        }
    }

    #[test]
    fn retired_address_is_not_found() {
        for path in [RETIRED_ADDRESS.to_owned(), format!("/crm/v1{RETIRED_ADDRESS}/")] {
            for method in ["POST", "GET"] {
                assert_eq!(route(&path, method), Err(Rejection::Retired), "{method} {path}");
            }
        }
        assert!(report(&Rejection::Retired).2.contains(ADDRESS));
    }

    #[test]
    fn content_type_is_json_or_absent() {
        let accepted = |header| require_json(header).is_ok();
        assert!(accepted(Header::Absent));
        for value in [
            "application/json",
            "Application/JSON",
            "application/json; charset=UTF-8",
            " application/json ;x",
            "application/json; x=\"a,b\"",
            "application/json, application/json",
        ] {
            assert!(accepted(Header::Value(value)), "{value}");
        }
        for value in [
            "",
            "text/plain",
            "application/jsonp",
            "text/json",
            "application/x-www-form-urlencoded",
            ";",
            ",",
        ] {
            assert!(!accepted(Header::Value(value)), "{value}");
        }
        for joined in [
            "application/json,text/plain",
            "text/plain,application/json",
            "application/json; charset=utf-8,text/plain",
            "application/json,application/json; charset=utf-8",
            "application/json; x=\"a,b\",text/plain",
            "application/json,",
        ] {
            assert!(!accepted(Header::Value(joined)), "{joined}");
        }
        assert!(!accepted(Header::Several));
    }

    #[test]
    fn a_repeated_value_is_one() {
        for (joined, expected) in [
            ("k,k", "k"),
            ("k, k,k", "k"),
            ("k", "k"),
            (" k", " k"),
            ("k ,k", "k ,k"),
            ("k,l", "k,l"),
            ("k,k,l", "k,k,l"),
            ("k,", "k,"),
            (",", ","),
            ("", ""),
        ] {
            assert_eq!(once(Header::Value(joined)), Header::Value(expected), "{joined:?}");
        }
        assert_eq!(once(Header::Absent), Header::Absent);
        assert_eq!(once(Header::Several), Header::Several);
    }

    #[test]
    fn idempotency_key_is_one_valid_value() {
        let key = |header| idempotency_key(header).map(|key| key.is_some());
        assert_eq!(key(Header::Absent), Ok(false));
        assert_eq!(key(Header::Value("k")), Ok(true));
        let long = "k".repeat(255);
        let twice = format!("{long}, {long}");
        assert_eq!(key(Header::Value(&twice)), Ok(true), "the same key twice");
        for header in [Header::Value("not visible"), Header::Value(""), Header::Several] {
            let expected = Rejection::invalid("Idempotency-Key", "1到255个可见ASCII字符");
            assert_eq!(key(header), Err(expected));
        }
    }
}
