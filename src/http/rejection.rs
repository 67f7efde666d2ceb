//! Why a request is refused as a whole, and how that is told (contract, section 2).

use lambda_http::http::StatusCode;

use crate::request::params::ParameterError;

/// The address of the import, as `msg` names it.
pub const ADDRESS: &str = "/api/integrate/audience/info/batchAdd";

/// A request that was refused. It has written no membership, and read nothing but its token, unless
/// its `Idempotency-Key` or the size of its explanation was the reason.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Rejection {
    /// No such address.
    #[error("no such address")]
    NotFound,
    /// The address that the platform gave up.
    #[error("retired address")]
    Retired,
    /// The right address, another method than `POST`.
    #[error("method not allowed")]
    MethodNotAllowed,
    /// No token, or none that is known and in its time. One response for all.
    #[error("no good token")]
    Token,
    /// A good token whose tenant is disabled or lacks the permission.
    #[error("tenant disabled or without permission")]
    Forbidden,
    /// The `Idempotency-Key` came before with another body.
    #[error("idempotency key reused")]
    KeyReused,
    /// The token or the `Idempotency-Key` could not be checked.
    #[error("the database did not response")]
    Unavailable,
    /// A content type that is not JSON.
    #[error("content type is not JSON")]
    UnsupportedMediaType,
    /// A body over this many bytes.
    #[error("body over the limit")]
    BodyTooLarge(usize),
    /// More than this many records.
    #[error("more records than the limit")]
    TooManyRecords(usize),
    /// The response, should every record fail, would be over this many bytes.
    #[error("response could be over the limit")]
    ResponseTooLarge(usize),
    /// A body that is not JSON.
    #[error("body is not JSON")]
    NotJson,
    /// A parameter that is missing or not of its form.
    #[error(transparent)]
    Parameter(#[from] ParameterError),
    /// A defect.
    #[error("internal error")]
    Internal,
}

impl Rejection {
    /// The HTTP status.
    pub fn status(&self) -> StatusCode {
        match self {
            Self::NotFound | Self::Retired => StatusCode::NOT_FOUND,
            Self::MethodNotAllowed => StatusCode::METHOD_NOT_ALLOWED,
            Self::Token => StatusCode::UNAUTHORIZED,
            Self::Forbidden => StatusCode::FORBIDDEN,
            Self::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
            Self::UnsupportedMediaType => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Self::BodyTooLarge(_) | Self::TooManyRecords(_) | Self::ResponseTooLarge(_) => {
                StatusCode::PAYLOAD_TOO_LARGE
            }
            Self::NotJson | Self::Parameter(_) => StatusCode::BAD_REQUEST,
            Self::KeyReused => StatusCode::UNPROCESSABLE_ENTITY,
            Self::Internal => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }

    /// The code that programs read.
    pub fn code(&self) -> &'static str {
        match self {
            Self::NotFound | Self::Retired => "NOT_FOUND",
            Self::MethodNotAllowed => "METHOD_NOT_ALLOWED",
            Self::Token => "TOKEN_ERROR",
            Self::Forbidden => "FORBIDDEN",
            Self::Unavailable => "SERVICE_UNAVAILABLE",
            Self::UnsupportedMediaType => "UNSUPPORTED_MEDIA_TYPE",
            Self::BodyTooLarge(_) | Self::TooManyRecords(_) | Self::ResponseTooLarge(_) => {
                "PAYLOAD_TOO_LARGE"
            }
            Self::NotJson | Self::Parameter(_) => "PARAM_ERROR",
            Self::KeyReused => "IDEMPOTENCY_KEY_REUSED",
            Self::Internal => "INTERNAL_ERROR",
        }
    }

    /// What people read.
    pub fn message(&self) -> String {
        match self {
            Self::NotFound => "接口地址不存在".to_owned(),
            Self::Retired => format!("该接口地址已废弃，请使用{ADDRESS}"),
            Self::MethodNotAllowed => "请求方式不支持，请使用POST".to_owned(),
            Self::Token => "X-Token无效或已过期".to_owned(),
            Self::Forbidden => "企业已停用或没有客户分组导入权限".to_owned(),
            Self::Unavailable => "服务暂时不可用，请稍后重试".to_owned(),
            Self::UnsupportedMediaType => "Content-Type必须是application/json".to_owned(),
            Self::BodyTooLarge(limit) => format!("请求体超过上限{limit}字节，请分批导入"),
            Self::TooManyRecords(limit) => format!("data超过上限{limit}条，请分批导入"),
            Self::ResponseTooLarge(limit) => format!("响应可能超过上限{limit}字节，请分批导入"),
            Self::NotJson => "请求体不是有效的JSON".to_owned(),
            Self::Parameter(ParameterError { field, expected }) => format!("参数{field}错误，应为{expected}"),
            Self::KeyReused => "该Idempotency-Key已用于另一个请求体".to_owned(),
            Self::Internal => "系统内部错误".to_owned(),
        }
    }

    /// A header that belongs to the response.
    pub fn header(&self) -> Option<(&'static str, &'static str)> {
        match self {
            Self::MethodNotAllowed => Some(("Allow", "POST")),
            Self::Unavailable => Some(("Retry-After", "1")),
            _ => None,
        }
    }
}
