"""What was tried against the function. Counts are those of recorded runs; a row without one names its tests."""

from evidence_tools.markdown import table


def trials(runs, say):
    events = runs["schedules"]["events"]

    def faults(*names):
        return f"{sum(events.get(f'fault: {name}', 0) for name in names):,}"

    def imports(count):
        return say(f"{count} imports", f"{count} 次导入")

    def calls(count):
        return say(f"{count} calls", f"{count} 次调用")

    def tests(file):
        return f"`{file}`"

    met = sum(count for name, count in events.items() if name.startswith("faults on "))
    operations = sum(name.startswith("faults on ") for name in events)
    rows = [
        (
            say(
                f"random schedules of faults on all {operations} operations, each compared with a reference model",
                f"随机的故障组合，覆盖全部 {operations} 种操作，逐一与参考模型对照",
            ),
            say(
                f"{runs['schedules']['imports']:,} imports, {met:,} calls met a fault",
                f"{runs['schedules']['imports']:,} 次导入，{met:,} 次调用遇到故障",
            ),
            say(
                "every record in exactly one list, every success whole in the table, nothing there that was not "
                "requested; resending ends in the full state",
                "每条记录要么成功要么失败，成功的在表中完整无缺，没有任何多余的写入；重新提交后达到完整状态",
            ),
        ),
        (
            say("of these: throttling (3 codes)", "其中：限流（3 种异常码）"),
            calls(faults("ProvisionedThroughputExceededException", "ThrottlingException", "RequestLimitExceeded")),
            say(
                "retried until the time for calls is over, then `TIMEOUT`",
                "一直重试，直到可用于调用的时间用尽，之后为 `TIMEOUT`",
            ),
        ),
        (
            say("parts of batches left undone", "批次中有部分未处理"),
            calls(faults("unprocessed")),
            say(
                "retried likewise; what stays undone fails alone, as `TIMEOUT`",
                "同样重试；仍未处理的单独失败，为 `TIMEOUT`",
            ),
        ),
        (
            say("500 and 503 of the database", "数据库返回 500 和 503"),
            calls(faults("InternalServerError", "ServiceUnavailable")),
            say("up to four attempts, then `STORE_ERROR`", "最多尝试四次，之后为 `STORE_ERROR`"),
        ),
        (
            say("connection reset; response broken off; garbled", "连接重置；响应中断；响应乱码"),
            say(
                f"{faults('reset')}; {faults('truncate')}; {faults('garble')} calls",
                f"{faults('reset')}；{faults('truncate')}；{faults('garble')} 次调用",
            ),
            say(
                "likewise, but a garbled response is not retried; what was done unseen is done once more, to the same "
                "end",
                "同上，但乱码的响应不重试；已执行但未得知结果的会再执行一次，结果相同",
            ),
        ),
        (
            say("hanging; slow", "挂起；缓慢"),
            say(f"{faults('hang')}; {faults('delay')} calls", f"{faults('hang')}；{faults('delay')} 次调用"),
            say("a response in time; what is not done is `TIMEOUT`", "按时响应，未完成的为 `TIMEOUT`"),
        ),
        (
            say("credentials expired or unknown, table away", "凭证过期或无效、表不存在"),
            calls(faults("ExpiredTokenException", "UnrecognizedClientException", "ResourceNotFoundException")),
            say("503 at the token, else `STORE_ERROR`", "校验 token 时为 503，其余为 `STORE_ERROR`"),
        ),
        (
            say("rejected statements and batches", "语句或批次被拒绝"),
            calls(faults("ValidationException", "AccessDeniedException")),
            say(
                "a rejected statement is read by queries, a rejected batch is written one by one",
                "被拒绝的语句改用 Query 查询，被拒绝的批次逐条写入",
            ),
        ),
        (
            say("an `Idempotency-Key` repeated after faults", "故障之后以同一 `Idempotency-Key` 重发"),
            say(
                f"{events.get('key: replayed', 0):,} replays, {events.get('key: in progress', 0):,} still running, "
                f"{events.get('key: ran again', 0):,} runs anew",
                f"{events.get('key: replayed', 0):,} 次重放，{events.get('key: in progress', 0):,} 次仍在执行，"
                f"{events.get('key: ran again', 0):,} 次重新执行",
            ),
            say("a replay is the first response to the letter", "重放的响应与首次逐字相同"),
        ),
        *optional(runs, say),
        (
            say(
                "tables that take less than is sent, one import and several at once",
                "表的容量低于所需，单个导入和多个同时导入",
            ),
            tests("throttling.rs"),
            say("no record fails while there is time", "时间未用尽之前没有记录失败"),
        ),
        (
            say("connections refused, then accepted", "连接被拒绝，之后恢复"),
            tests("outages.rs"),
            say(
                "`STORE_ERROR` or 503, then the same process imports all",
                "`STORE_ERROR` 或 503，恢复后同一进程全部导入成功",
            ),
        ),
        (
            say("time runs out in each stage", "在每个阶段用尽时间"),
            tests("deadlines.rs"),
            say("a response in time, in part", "按时响应，返回部分结果"),
        ),
        (
            say("adds and deletes of the same memberships at the same time", "对同一分组关系并发新增和删除"),
            tests("unchanged.rs"),
            say("the state is one that some order of them leaves", "最终状态等于其中某个先后顺序的结果"),
        ),
        (
            say(
                "two tenants with the same identifiers; names built like another tenant's keys; look-alikes",
                "两家企业拥有相同的标识；仿照其他企业的键构造的名称；形近字符",
            ),
            tests("isolation.rs"),
            say(
                "responses, matches and tables stay apart, byte for byte", "响应、匹配明细和数据表互不相干，逐字节区分"
            ),
        ),
        (
            say(
                "token expired, tenant disabled, permission revoked in a running process",
                "函数实例运行期间 token 过期、企业停用、权限收回",
            ),
            tests("tokens.rs"),
            say(
                "expired: 401 at once; else rejected within `TOKEN_CACHE_SECONDS`",
                "过期：立即 401；其余在 `TOKEN_CACHE_SECONDS` 之内被拒绝",
            ),
        ),
        (
            say(
                "deep nesting, endless numbers, lone surrogates, other encodings, odd base64 and headers",
                "多层嵌套、超长数字、孤立的代理项、其他编码、异常的 base64 和请求头",
            ),
            tests("hostile.rs"),
            say("the record fails alone, or a 4xx that says why", "该记录单独失败，或返回说明原因的 4xx"),
        ),
        (
            say(
                "secrets in logs: every line of the tests at TRACE, `Debug` of every value",
                "日志泄密：测试在 TRACE 级别的每一行，各个值的 `Debug`",
            ),
            tests("secrets.rs"),
            say("no token, identifier, group name or key", "没有 token、标识、分组名或幂等键"),
        ),
    ]
    head = [
        say("fault or attack", "故障或攻击"),
        say("how often, or where", "次数，或所在的测试"),
        say("what happened", "结果"),
    ]
    return table(head, rows, words=True)


def optional(runs, say):
    """What takes longer, or more than Rust: left out where it was not recorded."""
    if "fuzz" in runs:
        fuzz = runs["fuzz"]
        yield (
            say("mutated events, bodies, headers and faults", "变异的事件、请求体、请求头和故障"),
            say(
                f"{fuzz['executions']:,} executions of two invocations each",
                f"{fuzz['executions']:,} 次执行，每次调用两遍",
            ),
            say(
                f"{fuzz['crashes']} crashes: no panic, no 5xx without a cause, no response other than the model's",
                f"{fuzz['crashes']} 次崩溃：没有 panic，没有无故的 5xx，没有与模型不符的响应",
            ),
        )
    if "soak" in runs:
        soak = runs["soak"]
        yield (
            say("mixed requests and faults on the release binary", "对 release 版程序的混合请求和故障"),
            say(
                f"{soak['requests']:,} requests, {soak['records']:,} records, {soak['throughFaults']:,} requests "
                "through faults",
                f"{soak['requests']:,} 次请求、{soak['records']:,} 条记录，"
                f"其中 {soak['throughFaults']:,} 次请求遇到故障",
            ),
            say(
                f"{soak['wrong']} wrong responses; memory {soak['memoryKiBEarlier']:,} KiB, then "
                f"{soak['memoryKiBLater']:,}; file descriptors {soak['descriptorsBefore']} before, "
                f"{soak['descriptorsAfter']} after",
                f"{soak['wrong']} 个错误的响应；内存先为 {soak['memoryKiBEarlier']:,} KiB，后为 "
                f"{soak['memoryKiBLater']:,}；文件描述符之前 {soak['descriptorsBefore']} 个，"
                f"之后 {soak['descriptorsAfter']} 个",
            ),
        )
    if "dynamodb-local" in runs:
        counted = runs["dynamodb-local"]
        yield (
            say("the tests on Amazon's DynamoDB Local", "在 Amazon DynamoDB Local 上运行测试"),
            say(f"{counted['passed']} tests", f"{counted['passed']} 项测试"),
            say(f"{counted['failed']} fail", f"{counted['failed']} 项失败"),
        )
