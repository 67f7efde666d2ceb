"""ResultWriter: the results of a Map Run as objects in S3.

Not documented, and so decided here: what a redriven run writes takes the place of what it wrote before.
"""

import json

from ministack.services import s3

from .items import text, value_of

# In which files each child is written.
FILES = {"SUCCEEDED": "SUCCEEDED", "FAILED": "FAILED", "ABORTED": "FAILED", "PENDING": "PENDING"}


def write(writer, run, children, given, context):
    """Writes the objects and returns the result of the Map state."""
    place = value_of(writer["Arguments"], given, context)
    config = writer.get("WriterConfig", {})
    if (config.get("Transformation"), config.get("OutputType")) != ("FLATTEN", "JSONL"):
        raise NotImplementedError("results are written as flattened JSON Lines only")
    folder = f"{place['Prefix']}/{run['mapRunArn'].rsplit(':', 1)[1]}"
    results = {}
    for status in ("FAILED", "PENDING", "SUCCEEDED"):
        lines = [line for child in children if FILES[child["status"]] == status for line in lines_of(child)]
        results[status] = []
        if lines:
            body = "".join(f"{line}\n" for line in lines).encode()
            s3._put_object(place["Bucket"], f"{folder}/{status}_0.jsonl", body, {})
            results[status].append({"Key": f"{folder}/{status}_0.jsonl", "Size": len(body)})
    manifest = {"DestinationBucket": place["Bucket"], "MapRunArn": run["mapRunArn"], "ResultFiles": results}
    s3._put_object(place["Bucket"], f"{folder}/manifest.json", json.dumps(manifest).encode(), {})
    details = {"Bucket": place["Bucket"], "Key": f"{folder}/manifest.json"}
    return {"MapRunArn": run["mapRunArn"], "ResultWriterDetails": details}


def lines_of(child):
    """What succeeded is its output, an array flattened; what did not, the whole child."""
    if child["status"] == "SUCCEEDED":
        output = json.loads(child["output"])
        return [text(one) for one in (output if isinstance(output, list) else [output])]
    kept = ("status", "input", "output", "error", "cause")
    return [text({key[0].upper() + key[1:]: child[key] for key in kept if child.get(key) is not None})]
