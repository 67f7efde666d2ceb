"""Files as programs and people write them: the client imports each, or says what to do about it."""

import json
import random
import re
import time

import pytest

from api.double import import_groups

NAMES = "audienceUserId,groups\n"


def refused(desk, double, arguments, content):
    """What the client says of a file of which it sends nothing."""
    ended = desk.run(arguments, content)
    assert ended.code == 1, ended
    assert not double.requests
    assert not [name for name in desk.files() if "failed" in name or "state" in name]
    (message,) = [line for line in ended.stderr.splitlines() if line.startswith("error: ")]
    return message


# --- Encodings ---


VALID_IN_BOTH = """双十一 学员 学习 女装 女鞋 女 VIP学员 VIP茅台 vip猫 2毛 3楼 nike鞋 車 LV貓 VIP通 穹顶 TPU膜 Tom猫
猫app KTV女VIP 小小鞋 魏维维"""


def valid_in_both():
    """Names in GBK that are valid UTF-8, and more that are drawn with a seed."""
    draw = random.Random(27)
    valid = [bytes((lead, trail)) for lead in range(0xC2, 0xE0) for trail in range(0xA1, 0xC0)]
    hanzi = [pair.decode("gb2312", "ignore") for pair in valid]
    hanzi = [char for char in hanzi if "\u4e00" <= char <= "\u9fff"]
    assert len(hanzi) > 700
    drawn = ["".join(draw.sample(hanzi, 2)) for _ in range(5)]
    return [*VALID_IN_BOTH.split(), *drawn]


@pytest.mark.parametrize("name", valid_in_both())
def test_gbk_that_is_valid_utf8_is_not_guessed_at(desk, double, name):
    content = f"{NAMES}c1,vip\nc2,{name}\n".encode("gbk")
    message = refused(desk, double, "list.csv --match off", content)
    assert "line 3" in message
    assert "--encoding gbk" in message
    assert "--encoding utf-8" in message
    assert desk.run("list.csv --match off --encoding gbk").code == 0
    assert double.pairs == [("c1", "vip"), ("c2", name)]


@pytest.mark.parametrize(
    "name",
    [
        "café",
        "cafe\u0301",
        "JOSÉ",
        "Ångström",
        "会员",
        "α组",
        "A·B会员",
        "🎁",
        "Привет",
        "Ελλάς",
        "會員",
        "5×3",
        "30°",
        "ё会",
        "Müller",
        "ÉCOLE",
        "São",
    ],
)
def test_utf8_is_imported_without_a_flag(desk, double, name):
    ended = desk.run("list.csv --match off", f"{NAMES}c1,{name}\n")
    assert ended.code == 0, ended
    assert double.pairs == [("c1", name)]


def test_unusual_letters_are_imported_if_the_encoding_is_given(desk, double):
    assert desk.run("list.csv --match off --encoding utf-8", f"{NAMES}c1,˫ʮһ\n").code == 0
    assert double.pairs == [("c1", "˫ʮһ")]


@pytest.mark.parametrize("before", [0, 900, 150_000])
@pytest.mark.parametrize(
    "name", ["会员", "金卡", "贵宾", "新客", "卡", "🎁福利", "會員", "VIP客户，二", "café", "Привет"]
)
def test_utf8_is_not_read_as_gbk(desk, double, before, name):
    content = NAMES + "c00001,vip\n" * before + f"c2,{name}\n"
    message = refused(desk, double, "list.csv --match off --encoding gbk", content)
    assert message == "error: the input is UTF-8, not GBK: leave out --encoding"


@pytest.mark.parametrize(
    ("content", "named"),
    [
        (f"{NAMES}c1,会员\n".encode() + "c2,新客\n".encode("gbk"), "line 2 is UTF-8, not GBK"),
        (f"{NAMES}c1,g\nc2,會員卡\n".encode("big5"), "line 3 has characters that are not defined in GBK"),
    ],
)
def test_lines_that_can_hardly_be_gbk_stop_the_run(desk, double, content, named):
    assert named in refused(desk, double, "list.csv --match off --encoding gbk", content)


@pytest.mark.parametrize("name", ["双十一", "女", "車"])
def test_a_line_of_gbk_in_a_file_of_utf8_is_not_guessed_at(desk, double, name):
    content = f"{NAMES}c1,会员\nc2,会员\n".encode() + f"c3,{name}\n".encode("gbk")
    assert "line 4 is Chinese if it is GBK" in refused(desk, double, "list.csv --match off", content)


def test_gbk_behind_a_mark_of_utf8_is_sent_from_one_flag_to_the_other_by_nothing(desk, double):
    content = f"\ufeff{NAMES}".encode() + "c1,会员\n".encode("gbk")
    message = refused(desk, double, "list.csv --match off", content)
    assert message.endswith("line 2 is not UTF-8: save the whole file as UTF-8, as its beginning is")


@pytest.mark.parametrize(
    ("format", "content", "end"),
    [
        (
            "csv",
            "audienceUserId,groups,备注\nc1,新客㐀😀,甲\nc2,,乙\n",
            "c2,,乙,MISSING_GROUPS,缺少groups，或其中没有分组名,false\n",
        ),
        (
            "jsonl",
            '{"audienceUserId":"c1","groups":"新客㐀😀"}\n{"audienceUserId":"c2","备注":"乙"}\n',
            '"errorMsg":"缺少groups，或其中没有分组名","retryable":false}\n',
        ),
    ],
)
def test_gbk_is_read_and_written_by_the_flag(desk, double, format, content, end):
    message = refused(desk, double, f"list.{format} --match off", content.encode("gb18030"))
    assert "line 1 is not UTF-8" in message
    assert "--encoding gbk" in message
    ended = desk.run(f"list.{format} --match off --encoding gbk")
    assert (ended.code, double.pairs) == (2, [("c1", "新客㐀😀")]), ended
    assert desk.read(f"list.failed.{format}", "gb18030").endswith(end)


@pytest.mark.parametrize(
    ("content", "named"),
    [
        ((NAMES + "c1,g\n").encode("utf-16"), "UTF-16"),
        ((NAMES + "c1,g\n").encode("utf-16-le"), "UTF-16"),
        ((NAMES + "c1,g\n").encode("utf-16-be"), "UTF-16"),
        (b"PK\x03\x04...", "Excel"),
        (b"\xd0\xcf\x11\xe0\xa1", "Excel"),
        (b"\x1f\x8b\x08", "compressed"),
        (f"{NAMES}c1,g\nc2,José\n".encode("latin-1"), "line 3 is not UTF-8"),
        (b"a\rb\r\nc\n\xff\n", "line 4 is not UTF-8"),
        (NAMES.encode() + b"c1,\xbb\xe1\xd4\xb1\x80\n", "line 2 is not UTF-8"),
        (b"", "empty"),
    ],
)
@pytest.mark.parametrize("flag", ["", " --encoding gbk"])
def test_what_is_no_text_in_the_encoding_is_named(desk, double, content, named, flag):
    message = refused(desk, double, f"list.csv --match off{flag}", content)
    assert named.replace("UTF-8", "GBK" if flag else "UTF-8") in message


def test_a_byte_order_mark_is_no_part_of_a_name_and_kept_for_excel(desk, double):
    ended = desk.run("list.csv --match off", '\ufeff"groups",audienceUserId\r\nvip,c1\r\n,c2\r\n')
    assert (ended.code, double.pairs) == (2, [("c1", "vip")]), ended
    assert desk.read("list.failed.csv").startswith("\ufeffgroups,audienceUserId,errorCode")
    ended = desk.run("list.csv --match off --encoding gbk --restart")
    assert (ended.code, "UTF-8" in ended.stderr) == (1, True)
    assert desk.run("list.jsonl --match off", '\ufeff{"audienceUserId":"c3","groups":"g"}').code == 0


# --- Columns ---


def test_columns_stand_in_any_order_and_empty_fields_are_not_given(desk, double):
    desk.run("list.csv --match fuzzy", '"groups", phone ,note,unionid\r\n"vip, ""a""",,x,u1\r\n\r\nb,1,,\r\n')
    assert double.imported == [{"unionid": "u1", "groups": 'vip, "a"'}, {"phone": "1", "groups": "b"}]


@pytest.mark.parametrize(
    "content",
    [
        "openid,groups,,\no1,vip,,\no2,spring,,\n",
        "openid,,,groups\no1,,,vip\no2,,,spring\n",
        "openid,groups,,\no1,vip\no2,spring,\n",
        "openid,groups\no1,vip,,\no2,spring,,,, \n",
        ",openid,groups\n,o1,vip\n,o2,spring\n",
        "openid,groups,phone,note\no1,vip\no2,spring,,\n",
        "openid,groups,note,note\no1,vip,a,b\no2,spring,,\n",
    ],
)
def test_empty_columns_are_no_fault(desk, double, content):
    ended = desk.run("list.csv --match fuzzy", content)
    assert ended.code == 0, ended
    assert double.pairs == [("o1", "vip"), ("o2", "spring")]


def test_empty_columns_are_kept_for_failed_rows(desk):
    desk.run("list.csv --match fuzzy", "openid,,groups,,\no1,x,,,\n")
    assert desk.read("list.failed.csv").splitlines()[1] == "o1,x,,,,MISSING_GROUPS,缺少groups，或其中没有分组名,false"


UNIONID = ["unionId", "union_id", "UNIONID", "union-id", "union id", "ｕｎｉｏｎｉｄ", "union\u200bid"]
NEAR_MISSES = {"Groups": "groups", "audience_user_id": "audienceUserId", "Phone": "phone", "OpenID": "openid"}


@pytest.mark.parametrize(("name", "field"), [*((name, "unionid") for name in UNIONID), *NEAR_MISSES.items()])
@pytest.mark.parametrize("format", ["csv", "jsonl"])
def test_a_column_that_nearly_is_a_field_stops_the_run(desk, double, name, field, format):
    row = {"openid": "o1", "phone": "1", "groups": "g", field: None, name: "x"}
    row = {key: value for key, value in row.items() if value}
    content = json.dumps(row) if format == "jsonl" else f"{','.join(row)}\n{','.join(row.values())}\n"
    message = refused(desk, double, f"list.{format} --match fuzzy", content)
    assert name in message
    assert field in message


def test_a_member_that_nearly_is_a_field_matters_only_without_the_field(desk):
    for extra in ({"openId": None}, {"openId": " "}, {"openid": "o1", "openId": "x"}):
        content = json.dumps({"unionid": "u1", "groups": "g", **extra})
        assert desk.run("list.jsonl --match fuzzy", content).code == 0


def test_other_columns_are_named_and_not_sent(desk, double):
    ended = desk.run("list.csv --match off", "audienceUserId,groups,备注,shop\nc1,g,x,y\n")
    assert ended.stderr == "columns that are not sent: 备注, shop\n"
    assert double.imported == [{"audienceUserId": "c1", "groups": "g"}]


@pytest.mark.parametrize(
    ("content", "named"),
    [
        ("openid,phone\n1,2\n", "no column groups"),
        ("groups\nx\n", "no column audienceUserId, openid, unionid or phone"),
        ("openid;groups\no1;g\n", "semicolons"),
        ("openid\tgroups\no1\tg\n", "tabs"),
        ("openid，groups\no1，g\n", "full-width commas"),
        ("groups,openid,openid\n", "openid twice"),
        ('openid,"groups\no1,g\n', "quotes are not closed"),
        ('openid,groups,"note\no1,g,"\no2,g,x\n', "line 2"),
        ("sep=,\nopenid,groups\n", "take it out"),
        ("openid,groups\no1,g\ngroups,openid\ng,o2\n", "line 3 names the columns again"),
        ("openid,groups\no1,g\n\ufeffOpenid , groups\no2,g\n", "line 3 names the columns again"),
    ],
)
def test_a_first_line_that_is_no_header_is_explained(desk, double, content, named):
    assert named in refused(desk, double, "list.csv --match off", content)


# --- Lines and quotes ---

ENDS = pytest.mark.parametrize("end", ["\n", "\r", "\r\n"], ids=["LF", "CR", "CRLF"])


@ENDS
def test_an_unclosed_quote_costs_its_own_line_alone(desk, double, end):
    rows = [f"o{number},group {number}" for number in range(1, 30_000)]
    ended = desk.run("list.csv --match fuzzy", end.join(["openid,groups", 'o0,"g', *rows, ""]))
    assert ended.stdout.startswith("30000 rows: 29999 imported, 1 failed\n"), ended
    assert desk.read("list.failed.csv").splitlines()[1] == "o0,g,BAD_ROW,第2行的引号没有结束,false"
    assert sorted(map(",".join, double.pairs)) == sorted(rows)


@ENDS
def test_lines_are_counted_by_any_end(desk, double, end):
    desk.run("list.csv --match fuzzy", end.join(["openid,groups", "", 'o0,"g', "o1", "o2,g", ""]))
    reasons = [line.split(",")[3] for line in desk.read("list.failed.csv").splitlines()[1:]]
    assert reasons == ["第3行的引号没有结束", "第4行有1列，应为2列"]
    assert double.pairs == [("o2", "g")]


def test_lines_may_end_in_different_ways(desk, double):
    desk.run("list.csv --match fuzzy", "openid,groups\r\no1,g\no2,g\ro3,g\r\n\r\no4,g")
    assert double.pairs == [(f"o{number}", "g") for number in range(1, 5)]
    desk.run("list.jsonl --match off", "\r".join(json.dumps({"openid": f"o{n}", "groups": "g"}) for n in (5, 6)))
    assert double.pairs[4:] == [("o5", "g"), ("o6", "g")]


@pytest.mark.parametrize(
    "note", ['"北京\n1号楼,2层,3室,4床"', '"a\r\nb"', '"a\nb, c"', '"""x""\n"', '"\n\n"', '"a\nb c, d e, f g, h"']
)
def test_a_quoted_field_may_hold_line_ends(desk, double, note):
    desk.run("list.csv --match fuzzy", f'note,groups,openid,more\n{note},"g,h",o1,{note}\n,,o2,{note}\n')
    assert double.pairs == [("o1", "g,h")]
    (failed,) = desk.read("list.failed.csv").split("\n", 1)[1:]
    assert failed.startswith(f",,o2,{note},MISSING_GROUPS")
    assert desk.run("list.failed.csv --match fuzzy").code == 2


@pytest.mark.parametrize("end", ["\n", "\r"])
@pytest.mark.parametrize(
    "rows",
    [
        ['o1,"g', "o2,g", 'o3,"vip,spring"'],
        ['o1,"g', 'o2,"h', "o3,g"],
        ['o1,"g', '"o2","g"', "o3,g"],
        ['o1,"g', 'o2,"a ""b"""', "o3,g"],
        ['o1,"vip"x', "o2,g", "o3,g"],
        ['o1,g,"', "o2,g", "o3,g"],
        ['o1,"g', 'o2,"', "o3,g"],
        ['o1,"g', 'o2,h"', "o3,g"],
    ],
)
def test_no_row_is_lost_behind_a_quote(desk, double, rows, end):
    ended = desk.run("list.csv --match fuzzy", end.join(["openid,groups", *rows, ""]))
    assert ended.stdout.startswith("3 rows: "), ended
    failed = [line.partition(",")[0] for line in desk.read("list.failed.csv").splitlines()[1:]]
    assert sorted([*failed, *(key for key, _ in double.pairs)]) == ["o1", "o2", "o3"]
    assert all(len(groups) < 12 and "\n" not in groups and "\r" not in groups for _, groups in double.pairs)


@pytest.mark.parametrize(
    ("names", "rows"),
    [
        ("openid,groups", 'o1,"\no2,"\no3,g\n'),
        ("openid,groups", 'o1,"g,\no2,g\n,h"\no3,g\n'),
        ("openid,groups", 'o1,"g,\no2,h"\no3,g\n'),
        ("openid,groups,note", 'o1,g,"n\no1,h,n\no1,k,n"\n'),
        ("openid,groups,note", 'o1, g,"n\n o2 ,g,n\n o3 ,g,n"\n'),
        ("phone,groups,note", '138 0000 0001,g,"n\n138 0000 0002,g,n\n138 0000 0003,g,n"\n'),
        ("openid,note,groups", 'o1,"n\no1,n,h\nn",g\n'),
        ("note,openid,groups", '"n,o1,g\nn",o2,g\n'),
        ("openid,note,groups", 'a 1,"x,g\na 2,y,g\na 3,z",g\n'),
    ],
)
def test_rows_that_seem_to_stand_inside_a_field_stop_the_run(desk, double, names, rows):
    message = refused(desk, double, "list.csv --match fuzzy", f"{names}\n{rows}")
    assert "line 2" in message
    assert "line 3" in message or rows.startswith('"n')


@pytest.mark.parametrize(
    "columns", ["openid,groups", "openid,groups,note", "note,openid,groups", "openid,phone,groups,note"]
)
def test_random_quotes_lose_no_row(tmp_path, columns):
    draw = random.Random(f"27 {columns}")
    words = ["x", '="x"', '"x"', '"x,y"', '"x""y"', '"', '"x', 'x"', ' "x"', "", "x y"]
    stopped = 0
    for _ in range(500):
        count = draw.choice([1, 2, 5, 12])
        fields = [
            [f"o{row}" if name == "openid" else draw.choice(words) for name in columns.split(",")]
            for row in range(count)
        ]
        content = draw.choice(["\n", "\r", "\r\n"]).join([columns, *map(",".join, fields), ""])
        (tmp_path / "list.csv").write_bytes(content.encode())
        with (tmp_path / "list.csv").open("rb", buffering=0) as file:
            try:
                reader = import_groups.open_rows(file, "csv")
                rows = list(reader.rows())
            except import_groups.Mistake:
                stopped += 1
                continue
        assert len(rows) == count, content
        imported = [json.loads(reader.record(row))["openid"] for row in rows if not row.fault]
        assert all(re.fullmatch("o[0-9]+", openid) for openid in imported), content
    assert stopped < 250


@pytest.mark.parametrize("blank", [" ", "  ", "\t", "\u3000", "\u00a0"])
def test_quotes_after_a_blank_are_no_part_of_a_name(desk, double, blank):
    desk.run("list.csv --match fuzzy", f'openid,{blank}groups\no1,{blank}"vip"\no2,{blank}"vip,spring"{blank}\n')
    assert double.pairs == [("o1", "vip"), ("o2", "vip,spring")]


def test_a_long_row_costs_no_other(desk, double):
    long = "g" * 2_100_000
    desk.run("list.csv --match fuzzy", f'openid,groups\no1,{long}\no2,"{long}"\no3,g\nx')
    assert double.pairs == [("o3", "g")]
    assert desk.read("list.failed.csv").splitlines()[1].startswith(f"o1,{long},BAD_ROW,第2行超过")
    desk.run("list.jsonl --match off", f'{{"openid":"{long}"}}\n{{"openid":"o4","groups":"g"}}\n')
    assert double.pairs[1:] == [("o4", "g")]


def test_a_line_without_end_stops_the_run(desk, double):
    message = refused(desk, double, "list.csv --match off", f"{NAMES}c1,g\n{'x' * 17_000_000}")
    assert "line 3 is longer than" in message


@pytest.mark.parametrize("value", ["a" + " " * 100_000 + "b", '"open\n' + 'x,x""y\n' * 50_000])
def test_blanks_and_doubled_quotes_take_no_time(desk, double, value):
    desk.write("list.csv", f"{NAMES}c1,{value}")
    before = time.monotonic()
    with (desk.folder / "list.csv").open("rb", buffering=0) as file:
        total, _ = import_groups.look_over(import_groups.open_rows(file, "csv"))
    assert (total, time.monotonic() - before < 5) == (len(value.splitlines()), True)


def test_a_row_of_another_length_is_bad_and_loses_nothing(desk, double):
    desk.run("list.csv --match fuzzy", 'openid,groups,n\no1\no2,a,"b,c",d\no3,d,\no4,vip,spring,\no5,g,"x\no6,g\n')
    assert double.pairs == [("o3", "d")]
    assert desk.read("list.failed.csv").splitlines()[1:] == [
        "o1,,,BAD_ROW,第2行有1列，应为3列,false",
        'o2,a,"b,c,d",BAD_ROW,第3行有4列，应为3列,false',
        'o4,vip,"spring,",BAD_ROW,第5行有4列，应为3列,false',
        "o5,g,x,BAD_ROW,第6行的引号没有结束,false",
        "o6,g,,BAD_ROW,第7行有2列，应为3列,false",
    ]


# --- JSON Lines ---


def test_a_record_is_sent_as_it_is_written(desk, double):
    line = r'{ "phone" : 12345678901234567890123.10 , "x": {"y": "\ud800"} , "groups":"a\ud83d"}'
    desk.run("list.jsonl --match fuzzy", f"{line}\r\n\n  \n")
    ((_, body),) = double.requests
    assert line in body.decode()


def test_half_a_pair_in_a_bad_row_is_no_end(desk, double):
    ended = desk.run("list.jsonl --match off", r'{"badRow":"\ud83d"}')
    assert (ended.code, double.requests) == (2, []), ended
    assert desk.read("list.failed.jsonl").startswith(r'{"badRow": "\ud83d",')


@pytest.mark.parametrize(
    "line",
    ["[]", "{}}", "null", "{} {}", "{'a':1}", 'x"y', '{"phone":NaN}', '{"x":-Infinity}', "[" * 100_000, '{"a":"\t"}'],
)
def test_a_line_that_is_no_object_fails_until_it_is_corrected(desk, double, line):
    for name in ("list", "list.failed"):
        ended = desk.run(f"{name}.jsonl --match off", line if name == "list" else None)
        assert ended.stdout.startswith("1 row: 0 imported, 1 failed"), ended
        failed = json.loads(desk.read(f"{name}.failed.jsonl"))
        assert (failed["badRow"], failed["errorCode"]) == (line, "BAD_ROW")
    assert not double.requests


@pytest.mark.parametrize("start", ["[", "{", '[{"openid":"o1"},'])
def test_json_that_is_not_json_lines_stops_the_run(desk, double, start):
    message = refused(desk, double, "list.jsonl --match off", f'{start}\n{{"openid":"o1","groups":"g"}}\n]')
    assert "put one object on each line" in message


def test_a_byte_order_mark_between_lines_is_no_part_of_them(desk, double):
    line = '{"openid":"o1","groups":"g"}\n'
    desk.run("list.jsonl --match fuzzy", f"{line}\ufeff{line}")
    assert len(double.imported) == 2


def test_reasons_of_an_earlier_run_are_left_out(desk, double):
    line = r'{"phone":1e2,"errorCode":"TIMEOUT","x":[1, 2],"errorMsg":"x" , "\u0072etryable":true}'
    desk.run("list.jsonl --match fuzzy", line)
    ((_, body),) = double.requests
    assert b'"data":[{"phone":1e2,"x":[1, 2]}]' in body
    assert desk.read("list.failed.jsonl").startswith('{"phone":1e2,"x":[1, 2],"errorCode":"MISSING_GROUPS",')
    desk.run("list.csv --match fuzzy", "errorCode,openid,retryable,groups,errorMsg\nTIMEOUT,o1,true,,x\n")
    assert desk.read("list.failed.csv").splitlines()[0] == "openid,groups,errorCode,errorMsg,retryable"


# --- What looks odd ---


ODD = {
    "Excel": '8.68533E+14 1.38E+10 1.3800000001E10 13800000001.0 ="c1" \'c1 `c1 ####',
    "nothing": "NULL null None nan NaN \\N #N/A N/A undefined #REF!",
}


@pytest.mark.parametrize("flag", ["", " --dry-run"])
@pytest.mark.parametrize("kind", ODD)
@pytest.mark.parametrize("format", ["csv", "jsonl"])
def test_ids_that_are_no_ids_are_counted(desk, flag, kind, format):
    ids = ["c1", "o-1_x", "13800000001", *ODD[kind].split(), "null-1", "12e45"]
    if format == "csv":
        content = NAMES + "".join('"{}",g\n'.format(one.replace('"', '""')) for one in ids)
    else:
        content = "".join(json.dumps({"audienceUserId": one, "groups": "g"}) + "\n" for one in ids)
    ended = desk.run(f"list.{format} --match off{flag}", content)
    (note,) = [line for line in ended.stderr.splitlines() if line.startswith("note: ")]
    assert kind in note
    assert note.endswith(f": {len(ODD[kind].split())}, first in line {5 if format == 'csv' else 4}")
    assert ended.stdout.startswith("dry run: " if flag else f"{len(ids)} rows: "), ended


def test_a_formula_around_an_id_is_counted_and_around_a_group_fails(desk, double):
    ended = desk.run("list.csv --match off", f'{NAMES}="c1",g\nc2,="g"\n')
    assert ended.stderr.endswith(": 1, first in line 2\n"), ended
    assert double.pairs == [('="c1"', "g")]
    assert "BAD_ROW,第3行的引号前有其他字符" in desk.read("list.failed.csv")


@pytest.mark.parametrize(
    "phone", ["tel:13800000001", "138****0001", "13800000001ext", "张三", "138.0000.0001", "+86-138x"]
)
def test_phones_that_are_no_digits_are_counted(desk, phone):
    good = (
        "13800000001\n+86 138-0000-0001\n１３８００００００01\n(0571)8888 8888\n138\u00a00000\u30000001\n+85212345678\n"
    )
    rows = [*good.split("\n")[:-1], phone, phone]
    ended = desk.run("list.csv --match fuzzy", "phone,groups\n" + "".join(f"{one},g\n" for one in rows))
    assert ended.stderr == "note: phones that are no digits: 2, first in line 8\n"


@pytest.mark.parametrize(
    ("kind", "groups"),
    [
        ("，", "一，二"),
        ("、", "一、二"),
        (";", "a;b"),
        (";", "a；b"),
        ("quotation", 'a "b"'),
        ("quotation", "“a”"),
        ("invisible", "v\u200bip"),
    ],
)
def test_groups_that_may_be_several_are_counted(desk, kind, groups):
    quoted = groups.replace('"', '""')
    ended = desk.run("list.csv --match off", f'{NAMES}c1,"vip, spring"\nc2,"{quoted}"\nc3,"x,{quoted}"\n')
    assert kind in ended.stderr
    assert ended.stderr.endswith(": 2, first in line 3\n")


def test_values_in_columns_without_a_name_are_counted(desk):
    ended = desk.run("list.csv --match off", "audienceUserId,groups,\nc1,vip,\nc2,vip,spring\n")
    assert ended.stderr == "note: values in columns without a name, which are not sent: 1, first in line 3\n"


def test_a_plain_file_has_no_notes(desk):
    ended = desk.run("list.csv --match fuzzy", "openid,phone,groups\no6_bmjrPTlm-6_2sgVt7,13800000001,会员 a+b\n")
    assert ended.stderr == ""
