//! How a rejection is reported: the contract's table of status, code and message (section 2).

use lambda_http::http::StatusCode;

use crate::http::preconditions::ADDRESS;
use crate::rejection::{ParameterError, ParameterFault, Rejection};

/// The HTTP status, the code, and the message for people.
pub fn report(rejection: &Rejection) -> (StatusCode, &'static str, String) {
    const NOT_FOUND: (StatusCode, &str) = (StatusCode::NOT_FOUND, "NOT_FOUND");
    const PARAMETER: (StatusCode, &str) = (StatusCode::BAD_REQUEST, "PARAM_ERROR");
    const TOO_LARGE: (StatusCode, &str) = (StatusCode::PAYLOAD_TOO_LARGE, "PAYLOAD_TOO_LARGE");
    let ((status, code), message) = match rejection {
        Rejection::NotFound => (NOT_FOUND, "接口地址不存在".to_owned()),
        Rejection::UnknownEvent => {
            (PARAMETER, "无法识别的事件：既无requestContext，也无tokenHash、publicParams、data".to_owned())
        }
        Rejection::Retired => (NOT_FOUND, format!("该接口地址已废弃，请改用{ADDRESS}")),
        Rejection::MethodNotAllowed => (
            (StatusCode::METHOD_NOT_ALLOWED, "METHOD_NOT_ALLOWED"),
            "不支持该请求方式，请使用POST".to_owned(),
        ),
        Rejection::Token => {
            ((StatusCode::UNAUTHORIZED, "TOKEN_ERROR"), "X-Token缺失、无效或已过期".to_owned())
        }
        Rejection::Forbidden => {
            ((StatusCode::FORBIDDEN, "FORBIDDEN"), "企业已停用，或未开通客户分组导入权限".to_owned())
        }
        Rejection::Unavailable => (
            (StatusCode::SERVICE_UNAVAILABLE, "SERVICE_UNAVAILABLE"),
            "服务暂时不可用，请稍后重试".to_owned(),
        ),
        Rejection::UnsupportedMediaType => (
            (StatusCode::UNSUPPORTED_MEDIA_TYPE, "UNSUPPORTED_MEDIA_TYPE"),
            "Content-Type必须是application/json".to_owned(),
        ),
        Rejection::BodyTooLarge(limit) => (TOO_LARGE, format!("请求体超过上限{}，请分批导入", bytes(*limit))),
        Rejection::TooManyRecords(limit) => (TOO_LARGE, format!("记录数超过上限{limit}条，请分批导入")),
        Rejection::ResponseTooLarge(limit) => {
            (TOO_LARGE, format!("响应可能超过上限{}，请分批导入", bytes(*limit)))
        }
        Rejection::OutcomeTooLarge(limit) => (
            TOO_LARGE,
            format!(
                "匹配明细过大，无法按幂等键保存（上限{limit}字节），请减少记录数或不使用explain，并换用新的幂等键"
            ),
        ),
        Rejection::EmptyBody => (PARAMETER, "请求体为空".to_owned()),
        Rejection::NotUtf8 => (PARAMETER, "请求体不是UTF-8编码，可能经过压缩或使用了其他编码".to_owned()),
        Rejection::NotJson { line, column } => {
            (PARAMETER, format!("请求体不是合法的JSON：第{line}行第{column}列有误"))
        }
        Rejection::NotAnObject => (PARAMETER, "请求体应为JSON对象".to_owned()),
        Rejection::Parameter(ParameterError { field, expected, fault }) => {
            let path = format!("publicParams.{expected}");
            let message = match fault {
                ParameterFault::Missing => format!("缺少参数{field}，应为{expected}"),
                ParameterFault::Invalid => format!("参数{field}取值错误，应为{expected}"),
                ParameterFault::NearMiss if *field == path => format!("参数{field}的名称或位置有误"),
                ParameterFault::NearMiss if field == expected => format!("参数{field}位置有误，应为{path}"),
                ParameterFault::NearMiss => format!("参数名{field}有误，应为{path}"),
            };
            (PARAMETER, message)
        }
        Rejection::KeyReused => (
            (StatusCode::UNPROCESSABLE_ENTITY, "IDEMPOTENCY_KEY_REUSED"),
            "该Idempotency-Key已用于其他请求体，请换用新的值".to_owned(),
        ),
        Rejection::KeysNotSupported => {
            (PARAMETER, "本服务未启用幂等功能，请勿携带Idempotency-Key".to_owned())
        }
        Rejection::Internal => (
            (StatusCode::INTERNAL_SERVER_ERROR, "INTERNAL_ERROR"),
            "系统内部错误，部分记录可能已导入，可安全重试".to_owned(),
        ),
    };
    (status, code, message)
}

/// A limit in bytes, and in megabytes (2^20 bytes) where it is a whole number of them.
fn bytes(limit: usize) -> String {
    let megabytes = limit >> 20;
    if limit == megabytes << 20 {
        format!("{limit}字节（{megabytes} MB）")
    } else {
        format!("{limit}字节")
    }
}

/// A header of the response.
pub fn header(rejection: &Rejection) -> Option<(&'static str, &'static str)> {
    match rejection {
        Rejection::MethodNotAllowed => Some(("Allow", "POST")),
        Rejection::Unavailable => Some(("Retry-After", "1")),
        _ => None,
    }
}
