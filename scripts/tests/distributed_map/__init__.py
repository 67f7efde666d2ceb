"""ministack with what its Distributed Map lacks, for tests only. `python -m distributed_map` starts it.

Follows these pages of the AWS Step Functions Developer Guide (docs.aws.amazon.com/step-functions/latest/dg/):

- state-map-distributed.html, input-output-itemreader.html: objects that are compressed; arguments in JSONata
- input-output-itemselector.html, input-output-contextobject.html: Map.Item.Index and Map.Item.Value
- input-output-itembatcher.html: batches by number and by bytes, with BatchInput
- input-output-resultwriter.html: manifest.json, SUCCEEDED_n, FAILED_n and PENDING_n; FLATTEN, JSONL
- state-map-distributed.html, tolerated failures: what failed is counted in items; the rest is not started
- redrive-map-run.html and API_RedriveExecution.html: failed, aborted and pending children run again under their Map Run
- connect-lambda.html, concepts-error-handling.html: the name of a throttled invocation's error

It replaces private names of ministack, so it fits the version that scripts/requirements/emulator.in pins. Where the
pages are silent, it decides as noted in the modules; docs/bulk.md lists what only AWS can show.
"""
