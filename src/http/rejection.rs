//! Why a request is rejected as a whole, and how that is reported (contract, section 2).

use lambda_http::http::StatusCode;

use crate::request::BodyFault;
use crate::request::params::ParameterError;

/// The address of the import, as `msg` names it.
pub const ADDRESS: &str = "/api/integrate/audience/info/batchAdd";

/// Why a request is rejected. Except for a defect, no membership was written, and only the token was
/// read unless the `Idempotency-Key`, the size of the explanation or of the outcome is the reason.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Rejection {
    /// No such address.
    #[error("no such address")]
    NotFound,
    /// The payload of the invocation is neither kind of event (contract, section 11).
    #[error("neither kind of event")]
    UnknownEvent,
    /// The address that the platform has retired.
    #[error("retired address")]
    Retired,
    /// A method other than `POST`.
    #[error("method not allowed")]
    MethodNotAllowed,
    /// The token is missing, unknown or expired; the response is the same.
    #[error("no valid token")]
    Token,
    /// The token is valid, but the tenant is disabled or lacks the permission.
    #[error("tenant disabled or without permission")]
    Forbidden,
    /// The `Idempotency-Key` was used earlier with another body.
    #[error("idempotency key reused")]
    KeyReused,
    /// The token or the `Idempotency-Key` could not be checked.
    #[error("the database did not respond")]
    Unavailable,
    /// The content type is not JSON.
    #[error("content type is not JSON")]
    UnsupportedMediaType,
    /// The body is larger than this many bytes.
    #[error("body over the limit")]
    BodyTooLarge(usize),
    /// There are more than this many records.
    #[error("more records than the limit")]
    TooManyRecords(usize),
    /// The response could be larger than this many bytes.
    #[error("response could be over the limit")]
    ResponseTooLarge(usize),
    /// The outcome could be larger than this many bytes, the most that an `Idempotency-Key` can keep.
    #[error("outcome could be over the limit")]
    OutcomeTooLarge(usize),
    /// The body is not JSON.
    #[error("body is {0}")]
    Unreadable(BodyFault),
    /// A parameter is missing or invalid.
    #[error(transparent)]
    Parameter(#[from] ParameterError),
    /// There is an `Idempotency-Key`, but no table for the outcomes.
    #[error("idempotency keys are not supported")]
    KeysNotSupported,
    /// A defect of the function.
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
            Self::BodyTooLarge(_)
            | Self::TooManyRecords(_)
            | Self::ResponseTooLarge(_)
            | Self::OutcomeTooLarge(_) => StatusCode::PAYLOAD_TOO_LARGE,
            Self::UnknownEvent | Self::Unreadable(_) | Self::Parameter(_) | Self::KeysNotSupported => {
                StatusCode::BAD_REQUEST
            }
            Self::KeyReused => StatusCode::UNPROCESSABLE_ENTITY,
            Self::Internal => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }

    /// The machine-readable code.
    pub fn code(&self) -> &'static str {
        match self {
            Self::NotFound | Self::Retired => "NOT_FOUND",
            Self::MethodNotAllowed => "METHOD_NOT_ALLOWED",
            Self::Token => "TOKEN_ERROR",
            Self::Forbidden => "FORBIDDEN",
            Self::Unavailable => "SERVICE_UNAVAILABLE",
            Self::UnsupportedMediaType => "UNSUPPORTED_MEDIA_TYPE",
            Self::BodyTooLarge(_)
            | Self::TooManyRecords(_)
            | Self::ResponseTooLarge(_)
            | Self::OutcomeTooLarge(_) => "PAYLOAD_TOO_LARGE",
            Self::UnknownEvent | Self::Unreadable(_) | Self::Parameter(_) | Self::KeysNotSupported => {
                "PARAM_ERROR"
            }
            Self::KeyReused => "IDEMPOTENCY_KEY_REUSED",
            Self::Internal => "INTERNAL_ERROR",
        }
    }

    /// The message for people.
    pub fn message(&self) -> String {
        match self {
            Self::NotFound => "接口地址不存在".to_owned(),
            Self::UnknownEvent => {
                "无法识别的事件：既无requestContext，也无tokenHash、publicParams、data".to_owned()
            }
            Self::Retired => format!("该接口地址已废弃，请改用{ADDRESS}"),
            Self::MethodNotAllowed => "不支持该请求方式，请使用POST".to_owned(),
            Self::Token => "X-Token无效或已过期".to_owned(),
            Self::Forbidden => "企业已停用，或未开通客户分组导入权限".to_owned(),
            Self::Unavailable => "服务暂时不可用，请稍后重试".to_owned(),
            Self::UnsupportedMediaType => "Content-Type必须是application/json".to_owned(),
            Self::BodyTooLarge(limit) => format!("请求体超过上限{limit}字节，请分批导入"),
            Self::TooManyRecords(limit) => format!("记录数超过上限{limit}条，请分批导入"),
            Self::ResponseTooLarge(limit) => format!("响应可能超过上限{limit}字节，请分批导入"),
            Self::OutcomeTooLarge(limit) => {
                format!("导入结果可能超过幂等键可保存的上限{limit}字节，请分批导入，或不使用explain")
            }
            Self::Unreadable(BodyFault::Empty) => "请求体为空".to_owned(),
            Self::Unreadable(BodyFault::NotUtf8) => {
                "请求体不是UTF-8编码，可能经过压缩或使用了其他编码".to_owned()
            }
            Self::Unreadable(BodyFault::NotJson { line, column }) => {
                format!("请求体不是合法的JSON：第{line}行第{column}列有误")
            }
            Self::Parameter(ParameterError { field, expected, .. }) => {
                format!("参数{field}错误，应为{expected}")
            }
            Self::KeyReused => "该Idempotency-Key已用于其他请求体，请换用新的值".to_owned(),
            Self::KeysNotSupported => "本服务未启用幂等功能，请勿携带Idempotency-Key".to_owned(),
            Self::Internal => "系统内部错误，部分记录可能已导入，可安全重试".to_owned(),
        }
    }

    /// The rejection without a name that the caller invented: what a direct event returns is kept by others, such as the
    /// history of a state machine (contract, section 3).
    pub fn anonymous(self) -> Self {
        match self {
            Self::Parameter(error) => Self::Parameter(error.anonymous()),
            other => other,
        }
    }

    /// A header of the response.
    pub fn header(&self) -> Option<(&'static str, &'static str)> {
        match self {
            Self::MethodNotAllowed => Some(("Allow", "POST")),
            Self::Unavailable => Some(("Retry-After", "1")),
            _ => None,
        }
    }
}
