"""ResultWriter: the results of a Map Run as objects in S3.

Not documented, and so decided here: what a redriven run writes takes the place of what it wrote before.
"""

from ministack.services import s3

from .items import text, value_of

# In which files each child is written.
FILES = {"SUCCEEDED": "SUCCEEDED", "FAILED": "FAILED", "ABORTED": "FAILED", "PENDING": "PENDING"}


def write(run):
    writer = run.state["ResultWriter"]
    if writer["WriterConfig"] != {"Transformation": "FLATTEN", "OutputType": "JSONL"}:
        raise NotImplementedError("results are written as flattened JSON Lines only")
    place = value_of(writer["Arguments"], run.given, run.context)
    folder = f"{place['Prefix']}/{run.record['mapRunArn'].rsplit(':', 1)[1]}"
    results = {}
    for status in ("FAILED", "PENDING", "SUCCEEDED"):
        lines = [text(one) for child in run.children if FILES[child["status"]] == status for one in results_of(child)]
        key = f"{folder}/{status}_0.jsonl"
        results[status] = [{"Key": key}] if lines else []
        if lines:
            s3._put_object(place["Bucket"], key, "".join(f"{line}\n" for line in lines).encode(), {})
    s3._put_object(place["Bucket"], f"{folder}/manifest.json", text({"ResultFiles": results}).encode(), {})


def results_of(child):
    """What succeeded is its output, flattened; what did not, the whole child."""
    if child["status"] == "SUCCEEDED":
        return child["output"]
    reason = {name.title(): child[name] for name in ("error", "cause") if name in child}
    return [{"Status": child["status"], "Input": text(child["input"]), **reason}]
