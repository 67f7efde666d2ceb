"""Files as programs and people write them: the client reads each, or says what to do about it. Those of the first tests
are imported; the others are only read, as an import does before it sends anything."""

import io
import itertools
import json
import random
import re
import time

import pytest

import import_groups

NAMES = "audienceUserId,groups\n"


class Found:
    """What the client finds in a file: the records that it would send, the lines of its failed rows, its notes."""

    def __init__(self, content, format="csv", encoding=None):
        content = content if isinstance(content, bytes) else content.encode()
        reader = import_groups.open_rows(io.BytesIO(content), format, encoding)
        self.total, self.notes = import_groups.look_over(reader)
        rows = list(reader.rows())
        assert len(rows) == self.total
        self.records = [reader.record(row) for row in rows if not row.fault]
        failed = [(row, import_groups.Reason("BAD_ROW", row.fault, False)) for row in rows if row.fault]
        self.failed = [reader.failed(row, reason).removesuffix(",false") for row, reason in failed]
        self.unsent = list(reader.unsent)

    @property
    def pairs(self):
        records = map(json.loads, self.records)
        return [(record.get("audienceUserId") or record.get("openid"), record["groups"]) for record in records]


def stopped(*file):
    """What the client says of a file that it does not import."""
    with pytest.raises(import_groups.Mistake) as reason:
        Found(*file)
    return str(reason.value)


# --- Imported ---


@pytest.mark.parametrize(
    ("format", "content", "failed"),
    [
        ("csv", "audienceUserId,groups,备注\nc1,新客㐀😀,甲\nc2,,乙\n", "c2,,乙,MISSING_GROUPS,缺少groups"),
        ("jsonl", '{"openid":"c1","groups":"新客㐀😀"}\n{"x":"乙"}\n', '{"x":"乙","errorCode":"MISSING'),
    ],
)
def test_gbk_is_read_and_written_by_the_flag(desk, double, format, content, failed):
    ended = desk.run(f"list.{format} --match off", content.encode("gb18030"))
    assert ended.stderr.startswith("error: line 1 is not UTF-8"), ended
    assert "--encoding gbk" in ended.stderr
    assert (desk.files(), double.requests) == ([f"list.{format}"], [])
    ended = desk.run(f"list.{format} --match off --encoding gbk")
    assert (ended.code, double.pairs) == (2, [("c1", "新客㐀😀")]), ended
    assert desk.read(f"list.failed.{format}", "gb18030").splitlines()[-1].startswith(failed)


def test_a_byte_order_mark_is_no_part_of_a_name_and_kept_for_excel(desk, double):
    ended = desk.run("list.csv --match off", '\ufeff"groups",audienceUserId\r\nvip,c1\r\n,c2\r\n')
    assert (ended.code, double.pairs) == (2, [("c1", "vip")]), ended
    assert desk.read("list.failed.csv").startswith("\ufeffgroups,audienceUserId,errorCode")


@pytest.mark.parametrize(
    "note", ['"北京\n1号楼,2层,3室,4床"', '"a\r\nb"', '"a\nb, c"', '"""x""\n"', '"\n\n"', '"a\nb c, d e, f g, h"']
)
def test_a_quoted_field_may_hold_line_ends(desk, double, note):
    desk.run("list.csv --match fuzzy", f'note,groups,openid,more\n{note},"g,h",o1,{note}\n,,o2,{note}\n')
    assert double.pairs == [("o1", "g,h")]
    (failed,) = desk.read("list.failed.csv").split("\n", 1)[1:]
    assert failed.startswith(f",,o2,{note},MISSING_GROUPS")
    assert desk.run("list.failed.csv --match fuzzy").code == 2


def test_a_record_is_sent_as_it_is_written(desk, double):
    line = r'{ "phone" : 12345678901234567890123.10 , "x": {"y": "\ud800"} , "groups":"a\ud83d"}'
    desk.run("list.jsonl --match fuzzy", f"{line}\r\n\n  \n")
    ((_, body),) = double.requests
    assert line in body.decode()


def test_half_a_pair_in_a_bad_row_is_no_end(desk, double):
    ended = desk.run("list.jsonl --match off", r'{"badRow":"\ud83d"}')
    assert (ended.code, double.requests) == (2, []), ended
    assert desk.read("list.failed.jsonl").startswith(r'{"badRow": "\ud83d",')


def test_reasons_of_an_earlier_run_are_left_out(desk, double):
    row = '{"phone":1e2,"x":[1, 2]'
    for end in (
        r',"errorCode":"TIMEOUT","errorMsg":"\"x\\","retryable":true}',
        ', "errorCode": "", "errorMsg": "", "retryable": false}',
    ):
        desk.run("list.jsonl --match fuzzy --restart", row + end)
        assert f'"data":[{row}}}]' in double.requests[-1][1].decode()
        assert desk.read("list.failed.jsonl").startswith(f'{row},"errorCode":"MISSING_GROUPS",')
    desk.run("list.csv --match fuzzy", "errorCode,openid,retryable,groups,errorMsg\nTIMEOUT,o1,true,,x\n")
    assert desk.read("list.failed.csv").splitlines()[0] == "openid,groups,errorCode,errorMsg,retryable"


def test_a_long_row_costs_no_other(desk, double):
    long = "g" * 2_100_000
    desk.run("list.csv --match fuzzy", f'openid,groups\no1,{long}\no2,"{long}"\no3,g\nx')
    assert double.pairs == [("o3", "g")]
    assert desk.read("list.failed.csv").splitlines()[1].startswith(f"o1,{long},BAD_ROW,第2行超过")


def test_what_is_not_sent_and_what_is_odd_is_said_before_anything_is_sent(desk, double):
    ended = desk.run("list.csv --match off --dry-run", "audienceUserId,groups,备注,shop\nc1,g,x,y\nNULL,,,\n")
    columns, note = ended.stderr.splitlines()
    assert columns == "columns that are not sent: 备注, shop"
    assert note.endswith(": 1, first in line 3")
    assert ended.stdout.startswith("dry run: 2 rows: 1 would be imported, 1 failed\nNothing was written.\n"), ended
    assert desk.files() == ["list.csv", "list.dry-run-failed.csv"]
    assert double.imported[0] == {"audienceUserId": "c1", "groups": "g"}


# --- Encodings ---


VALID_IN_BOTH = """双十一 学员 学习 女装 女鞋 女 VIP学员 VIP茅台 vip猫 2毛 3楼 nike鞋 車 LV貓 VIP通 穹顶 TPU膜 Tom猫
猫app KTV女VIP 小小鞋 魏维维 A台 Tom没Tom"""


def valid_in_both():
    """Names in GBK that are valid UTF-8, and more that are drawn with a seed."""
    draw = random.Random(27)
    valid = [bytes((lead, trail)) for lead in range(0xC2, 0xE0) for trail in range(0xA1, 0xC0)]
    hanzi = [pair.decode("gb2312", "ignore") for pair in valid]
    hanzi = [char for char in hanzi if "\u4e00" <= char <= "\u9fff"]
    assert len(hanzi) > 700
    return [*VALID_IN_BOTH.split(), *("".join(draw.sample(hanzi, 2)) for _ in range(50))]


@pytest.mark.parametrize("name", valid_in_both())
def test_gbk_that_is_valid_utf8_is_not_guessed_at(name):
    content = f"{NAMES}c1,vip\nc2,{name}\n".encode("gbk")
    message = stopped(content)
    assert all(word in message for word in ("line 3", "--encoding gbk", "--encoding utf-8"))
    assert Found(content, "csv", "gbk").pairs == [("c1", "vip"), ("c2", name)]
    assert Found(content, "csv", "utf-8").total == 2


OTHERS = """Việt ลูกค้า café cafe\u0301 JOSÉ Ångström Müller ÉCOLE São Привет Ελλάς שלום سلام 会员 會員 α组
A·B会员 ё会 🎁 5×3 30° £5 m²"""


@pytest.mark.parametrize("name", OTHERS.split())
def test_utf8_is_read_without_a_flag(name):
    assert Found(f"{NAMES}c1,{name}\n").pairs == [("c1", name)]
    assert Found(f"\ufeff{NAMES}c1,20μg {name}\n").pairs == [("c1", f"20μg {name}")]


def test_few_letters_are_no_doubt_in_a_file_with_chinese():
    assert Found(f"{NAMES}c1,会员\nc2,§5\nc3,Ñandú\n").total == 3


def test_long_text_in_gbk_is_no_utf8():
    name = "".join(map(chr, range(0x4E00, 0x5E00)))
    assert Found(f"{NAMES}c1,{name}\n".encode("gbk"), "csv", "gbk").pairs == [("c1", name)]


@pytest.mark.parametrize("before", [0, 900, 150_000])
@pytest.mark.parametrize(
    "name", ["会员", "金卡", "贵宾", "卡", "🎁福利", "會員", "VIP客户，二", "café", "Привет", "Việt", "ลูกค้า"]
)
def test_utf8_is_not_read_as_gbk(before, name):
    content = NAMES + "c00001,vip\n" * before + f"c2,{name}\n"
    assert stopped(content, "csv", "gbk") == "the input is UTF-8, not GBK: leave out --encoding"


UTF16 = [(f"{NAMES}c1,{'会' * 900}\n".encode(codec), "UTF-16") for codec in ("utf-16", "utf-16-le", "utf-16-be")]


@pytest.mark.parametrize("encoding", [None, "gbk"])
@pytest.mark.parametrize(
    ("content", "named"),
    [
        *UTF16,
        (b"PK\x03\x04...", "Excel"),
        (b"\xd0\xcf\x11\xe0\xa1", "Excel"),
        (b"\x1f\x8b\x08", "compressed"),
        (f"{NAMES}c1,g\nc2,José\nc3,José\n".encode("latin-1"), "line 3 is not UTF-8"),
        (b"a\rb\r\nc\n\xff\n", "line 4 is not UTF-8"),
        (NAMES.encode() + b"c1,\xbb\xe1\xd4\xb1\x80\n", "line 2 is not UTF-8"),
        (b"", "empty"),
    ],
)
def test_what_is_no_text_in_the_encoding_is_named(content, named, encoding):
    message = stopped(content, "csv", encoding)
    assert named.replace("UTF-8", "GBK" if encoding else "UTF-8") in message
    assert "add --encoding gbk" not in message


UTF8, GBK = f"{NAMES}c1,会员\nc2,会员\n".encode(), f"{NAMES}c1,会员\n".encode("gbk")


@pytest.mark.parametrize(
    ("content", "encoding", "named"),
    [
        (UTF8 + "c3,新客\n".encode("gbk"), "gbk", "line 2 is UTF-8, not GBK"),
        *((GBK + name.encode(), "gbk", "line 3 is UTF-8, not GBK") for name in ("🎁福利", "會員", "两个")),
        (GBK + "会员会".encode()[:-1], "gbk", "line 3 is UTF-8, not GBK"),
        (f"{NAMES}c1,g\nc2,會員卡\n".encode("big5"), "gbk", "line 3 has characters that are not defined in GBK"),
        *((UTF8 + f"c3,{name}\n".encode("gbk"), None, "line 4 is Chinese if") for name in ("双十一", "女", "車")),
        ("\ufeff".encode() + GBK, None, "line 2 is not UTF-8: save the whole file as UTF-8, as its beginning is"),
        (b"\xef\xbb\xbf" + NAMES.encode(), "gbk", "the input is UTF-8, not GBK, as its byte order mark says"),
    ],
)
def test_a_line_in_another_encoding_stops_the_run(content, encoding, named):
    assert named in stopped(content, "csv", encoding)


# --- Tables ---

TWO = [("o1", "vip"), ("o2", "spring")]
FOUR = [(f"o{number}", "g") for number in range(1, 5)]
ENDS = ["\n", "\r", "\r\n"]
BLANKS = [" ", "  ", "\t", "\u3000", "\u00a0"]


@pytest.mark.parametrize(
    ("content", "pairs"),
    [
        ("openid,groups,,\no1,vip,,\no2,spring,,\n", TWO),
        ("openid,,,groups\no1,,,vip\no2,,,spring\n", TWO),
        ("openid,groups,,\no1,vip\no2,spring,\n", TWO),
        ("openid,groups\no1,vip,,\no2,spring,,,, \n", TWO),
        (",openid,groups\n,o1,vip\n,o2,spring\n", TWO),
        ('openid,note,phone,groups\no1,"a\nb",1380001,vip\no2,"see\n1380003\no3",1380002,spring\n', TWO),
        ('note,openid,groups\n="01",o1,vip\n,o2,spring\n', TWO),
        ('openid,groups,note\n100001,vip,"Dear X,\nthanks, bye\n12,5"\n', [("100001", "vip")]),
        ('openid,groups,"my\nnote"\no1,vip,\no2,spring,\n', TWO),
        ("openid,groups,note,note\no1,vip,phone,openid\no2,spring,,\n", TWO),
        ('"groups", openid ,note\r\n"vip, ""a""",o1,x\r\n\r\nb,o2,\r\n', [("o1", 'vip, "a"'), ("o2", "b")]),
        ("openid,groups\r\no1,g\no2,g\ro3,g\r\n\r\n\ufeff\no4,g\n\x1a", FOUR),
        *((f'openid,{blank}groups\no1,{blank}"vip"\no2,{blank}"spring"{blank}\n', TWO) for blank in BLANKS),
    ],
)
def test_a_table_is_read(content, pairs):
    found = Found(content)
    assert (found.pairs, found.failed) == (pairs, [])


def test_empty_fields_are_not_given():
    assert Found("phone,openid,groups\n,o1,g\n").records == ['{"openid":"o1","groups":"g"}']


BAD = 'openid,groups,n\no1\no2,a,"b,c",d\no3,d,\no4,vip,spring,\no5,g,"x\no6,g\no7,g,\n'


@pytest.mark.parametrize("end", ENDS)
def test_a_row_that_is_none_is_bad_and_loses_nothing(end):
    found = Found(BAD.replace("\n", end))
    assert found.pairs == [("o3", "d"), ("o7", "g")]
    assert found.failed == [
        "o1,,,BAD_ROW,第2行有1列，应为3列：行尾的空列可能被省略，请在最后一列填值",
        'o2,a,"b,c,d",BAD_ROW,第3行有4列，应为3列',
        'o4,vip,"spring,",BAD_ROW,第5行有4列，应为3列',
        "o5,g,x,BAD_ROW,第6行的引号没有结束",
        "o6,g,,BAD_ROW,第7行有2列，应为3列：行尾的空列可能被省略，请在最后一列填值",
    ]
    surplus = Found("groups,openid,note\nvip,spring,o1,\nvip,o2,x\n")
    assert (surplus.pairs, surplus.failed) == ([("o2", "vip")], ['vip,spring,"o1,",BAD_ROW,第2行有4列，应为3列'])
    # Names of rows, as R writes them, have no column: a field that is empty does not shift the others.
    for rows in ("1,o1,vip,\n2,o2,vip,\n3,o3,vip,x\n", "1,o1,vip,\n", '1,"o1\n2,o2,vip,\n'):
        unnamed = Found(f"openid,groups,note\n{rows}")
        assert (unnamed.pairs, len(unnamed.failed)) == ([], rows.count("\n"))
    torn = Found('groups,note,openid\nvip,x,o1\nx,y",o2\n')
    assert (torn.pairs, torn.failed) == ([("o1", "vip")], ['x,"y""",o2,BAD_ROW,第3行的引号前有其他字符'])
    quoted = Found(f'{NAMES}="c1",g\nc2,="g"\nc3,"vip"x\n')
    assert quoted.pairs == [('="c1"', "g")]
    assert quoted.failed == [
        'c2,"=""g""",BAD_ROW,第3行的引号前有其他字符',
        'c3,"""vip""x",BAD_ROW,第4行的引号后有其他字符',
    ]


def test_a_line_end_in_a_name_is_one_bad_row():
    for cell in ('"vip\nspring"', '"vip\n\nspring"', '"vip\r\n""spring"'):
        found = Found(f"audienceUserId,groups,note\nc1,{cell},\nc2,vip,\n")
        assert found.pairs == [("c2", "vip")]
        assert found.failed == [f"c1,{cell},,BAD_ROW,第2行的groups中有换行"]
    assert len(Found(f'{NAMES}c1,"vip\nc2,spring"\n').failed) == 2


def test_a_bad_row_fails_again_until_it_is_corrected():
    found = Found("groups,openid,errorCode\nvip,spring,BAD_ROW\nvip,o1,NOT_MATCHED\nvip,o2,\n")
    assert found.pairs == [("o1", "vip"), ("o2", "vip")]
    assert found.failed == ["vip,spring,BAD_ROW,第2行尚未改正：改正后请清空errorCode"]


@pytest.mark.parametrize(
    ("content", "named"),
    [
        ("openid,phone\n1,2\n", "no column groups"),
        (",,,\n", "it names nothing"),
        ("groups\nx\n", "no column audienceUserId or"),
        ("openid;groups\no1;g\n", "semicolons"),
        ("openid\tgroups\no1\tg\n", "tabs"),
        ("openid，groups\no1，g\n", "full-width commas"),
        ("groups,openid,openid\n", "openid twice"),
        ('openid,"groups\no1,g\n', "quotes are not closed"),
        ('openid,groups,"note\no1,g,"\no2,g,x\n', "quotes are not closed"),
        ('openid,groups,"note\na 1,g,x\na 2,g,y"\na 3,g,z\n', "quotes are not closed"),
        ('"openid";"groups"\n"o1";"g"\n', "semicolons"),
        ('"openid,groups"\n"o1,g"\n', "commas within quotes"),
        ("sep=,\nopenid,groups\n", "take it out"),
        ("openid,groups\no1,g\ngroups,openid\ng,o2\n", "line 3 names the columns again"),
        *((f"openid,groups\no1,g\n{name},Group\nx,o2\n", "line 3 names") for name in import_groups.IDENTIFIERS),
        ("openid,groups\no1,g\nUnion-ID,Group\nx,o2\n", "line 3 names the columns again"),
        ("openid,groups,name\no1,g,x\nname,openid,groups\nx,o2,g\n", "line 3 names the columns again"),
        ("openid,groups\no1,g\n\ufeffOpenid , groups\no2,g\n", "line 3 names the columns again"),
        (f"{NAMES}c1,g\n{'x' * 17_000_000}", "line 3 is longer than"),
        # Rows that seem to stand inside a field.
        ('openid,groups\no1,"\no2,"\no3,g\n', "line 3 seems"),
        ('openid,groups\no1,"g,\no2,g\n,h"\no3,g\n', "line 3 seems"),
        ('openid,groups\no1,"g,\no2,h"\no3,g\n', "line 3 seems"),
        ('openid,groups,note\no1,g,"n\no1,h,n\no1,k,n"\n', "line 3 seems"),
        ('openid,groups,note\no1, g,"n\n o2 ,g,n\n o3 ,g,n"\n', "line 3 seems"),
        ('phone,groups,note\n138 0000 0001,g,"n\n138 0000 0002,g,n\n138 0000 0003,g,n"\n', "line 3 seems"),
        ('openid,note,groups\no1,"n\no1,n,h\nn",g\n', "line 3 seems"),
        ('note,openid,groups\n"n,o1,g\nn",o2,g\n', "line 2 seems"),
        ('openid,note,groups,x\no1,"a,vip,x\no2,b",vip,y\no3,n,vip,x\n', "line 3 seems"),
        ('groups,a,b,openid\ng,"a,b,Li Lei,o1\nvip,","y",o2\n', "line 2 seems"),
        ('groups,a,openid\n"g,h","备注,oUpF8uMuA-O_\ng,备注",oWx3kTq9ZbLr\n', "line 2 seems"),
        ('openid,note,groups\na 1,"x,g\na 2,y,g\na 3,z",g\n', "line 3 seems"),
        ('openid,groups,note\nanna,vip,"x\nbert,vip"\n', "line 3 seems"),
        ('openid,groups,note\n,vip,"x\nbert,vip,y\n,vip,z"\n', "line 3 seems"),
    ],
)
def test_a_table_that_may_be_meant_otherwise_stops_the_run(content, named):
    assert named in stopped(content)


def test_fields_are_those_of_openapi(document):
    assert set(import_groups.FIELDS) == set(document["components"]["schemas"]["ImportRecord"]["properties"])


UNIONID = ["unionId", "union_id", "UNIONID", "union-id", "union id", "ｕｎｉｏｎｉｄ", "union\u200bid"]
NEAR_MISSES = {"Groups": "groups", "audience_user_id": "audienceUserId", "Phone": "phone", "OpenID": "openid"}


@pytest.mark.parametrize(("name", "field"), [*((name, "unionid") for name in UNIONID), *NEAR_MISSES.items()])
def test_a_column_that_nearly_is_a_field_stops_the_run(name, field):
    row = {"openid": "o1", "phone": "1", "groups": "g", field: None, name: "x"}
    row = {key: value for key, value in row.items() if value}
    for file in ((json.dumps(row), "jsonl"), (f"{','.join(row)}\n{','.join(row.values())}\n", "csv")):
        message = stopped(*file)
        assert name in message
        assert field in message


def test_a_member_that_nearly_is_a_field_matters_only_without_the_field():
    for extra in ({"openId": None}, {"openId": " "}, {"openid": "o1", "openId": "x"}):
        assert Found(json.dumps({"unionid": "u1", "groups": "g", **extra}), "jsonl").failed == []


@pytest.mark.parametrize("end", ENDS)
def test_an_unclosed_quote_costs_its_own_line_alone(end):
    rows = [f"o{number},group {number}" for number in range(1, 30_000)]
    found = Found(end.join(["openid,groups", 'o0,"g', *rows, ""]))
    assert found.failed == ["o0,g,BAD_ROW,第2行的引号没有结束"]
    assert [",".join(pair) for pair in found.pairs] == rows


@pytest.mark.parametrize(
    "columns", ["openid,groups", "openid,groups,note", "note,openid,groups", "openid,phone,groups,note"]
)
def test_random_quotes_lose_no_row(columns):
    draw = random.Random(f"27 {columns}")
    words = ["x", '="x"', '"x"', '"x,y"', '"x""y"', '"', '"x', 'x"', ' "x"', "", "x y"]
    stops = 0
    for _ in range(500):
        ids = [f"o{row}" for row in range(draw.choice([1, 2, 5, 12]))]
        fields = [[id if name == "openid" else draw.choice(words) for name in columns.split(",")] for id in ids]
        content = draw.choice(ENDS).join([columns, *map(",".join, fields), ""])
        try:
            found = Found(content)
        except import_groups.Mistake:
            stops += 1
            continue
        read = [json.loads(record)["openid"] for record in found.records]
        assert found.total == len(ids), content
        assert sorted([*read, *re.findall("o[0-9]+", "".join(found.failed))]) == sorted(ids), content
    assert stops < 250


SLOW = [f"a{' ' * 100_000}b", f"café {'a' * 100_000}", '"open\n' + ('x,x""y' + "z" * 200 + "\n") * 5_000]


@pytest.mark.parametrize("value", SLOW, ids=["blanks", "letters", "quotes"])
def test_blanks_letters_and_doubled_quotes_take_no_time(value):
    before = time.monotonic()
    assert Found(f"{NAMES}c1,{value}").total == len(value.splitlines())
    assert time.monotonic() - before < 5


# --- JSON Lines ---


@pytest.mark.parametrize(
    "line",
    ["[]", "{}}", "null", "{} {}", "{'a':1}", 'x"y', '{"phone":NaN}', '{"x":-Infinity}', "[" * 100_000, '{"a":"\t"}'],
)
def test_a_line_that_is_no_object_fails_until_it_is_corrected(line):
    (failed,) = Found(line, "jsonl").failed
    (again,) = Found(failed, "jsonl").failed
    assert [json.loads(one)["badRow"] for one in (failed, again)] == [line, line]


@pytest.mark.parametrize("start", ["[", "{", '[{"openid":"o1"},', '{"data":[', '{"openid":"o1","groups":"g"},'])
def test_json_that_is_not_json_lines_stops_the_run(start):
    assert "put one object on each line" in stopped(f'{start}\n{{"openid":"o1","groups":"g"}}\n]', "jsonl")


@pytest.mark.parametrize("end", [*ENDS, "\n\ufeff"])
def test_lines_of_json_may_end_in_any_way(end):
    lines = [json.dumps({"openid": f"o{number}", "groups": "g"}) for number in range(1, 5)]
    assert Found(end.join(["", *lines]), "jsonl").pairs == FOUR


# --- What looks odd ---

IDS = {
    "Excel": '8.68533E+14 1.38E+10 1.3800000001E10 13800000001.0 123456789012345000 ="c1" \'c1 `c1 ####',
    "nothing": "NULL null None nan NaN \\N #N/A N/A undefined #REF! [NULL] TRUE (空) <nil> ---- ? c?? ???",
}
GROUPS = {"，": "一，二", "、": "一、二", ";": "a;b|a；b|a﹔b", "quotation": 'a "b"|“a”', "invisible": "v\u200bip"}
GROUPS |= {"brackets": "['a']|[]"}
PHONES = "13800000001|+86 138-0000-0001|１３８００００００01|(0571)8888 8888|138\u00a00000\u30000001|+85212345678"
NO_PHONES = ["tel:13800000001", "c1", "138****0001", "13800000001ext", "张三", "138.0000.0001", "+86-138x"]


@pytest.mark.parametrize("format", ["csv", "jsonl"])
@pytest.mark.parametrize(
    ("field", "plain", "odd", "kind"),
    [
        *(("audienceUserId", ["c1", "o-1_x", "null-1", "12e45"], ids.split(), kind) for kind, ids in IDS.items()),
        *(("groups", ["vip, spring", "会员 a+b"], odd.split("|"), kind) for kind, odd in GROUPS.items()),
        *((name, ["12345678901234567"], ["1234567890123450000"], "Excel") for name in ("audienceUserId", "phone")),
        ("phone", PHONES.split("|"), NO_PHONES, "phones that are no digits"),
    ],
)
def test_odd_values_are_counted(field, plain, odd, kind, format):
    values = [*plain, *odd, plain[0]]
    records = [{"openid": "o6_bmjrPTlm-6_2sgVt7", "groups": "g", field: value} for value in values]
    lines = [json.dumps(record) for record in records]
    if format == "csv":
        quoted = ['"{}"'.format(value.replace('"', '""')) for value in itertools.chain(*map(dict.values, records))]
        width = len(records[0])
        lines = [",".join(records[0]), *(",".join(quoted[at : at + width]) for at in range(0, len(quoted), width))]
    (note,) = Found("\n".join(lines), format).notes
    assert kind in note
    assert note.endswith(f": {len(odd)}, first in line {len(plain) + (2 if format == 'csv' else 1)}")


def test_values_in_columns_without_a_name_are_counted():
    (note,) = Found("openid,groups,\no1,vip,\no2,vip,spring\n").notes
    assert note == "note: values in columns without a name, which are not sent: 1, first in line 3"
