"""The demo: a small town of developers whose pipelines are real, and whose trail is live.

    ./dev demo [--exit-after SECONDS] [--port 8420] [--ledger FILE.jsonl.gz] [--fresh] [--seed N]

It starts the real server on this machine alone, a real git repository with a small service, and real
pipelines: people write changes, review and merge them; each change is tested, built, and deployed to
staging and production by really starting the service and asking it over HTTP. Some tests fail, some
versions do not start, and then the last good artifact goes back. Everything is told to the house as it
would be told outside: signed deliveries in GitHub's shapes, and facts by token from the runner.

Everything lies in `.demo/`; ending and starting again goes on where it was.

| module | what lives there |
|---|---|
| `cast` | the people |
| `edits` | the bank of edits: what they do to their service |
| `seed/` | the service as it first was, with its tests |
| `repository` | git: the bare origin, a clone each |
| `pipeline` | test, build, deploy, check health, for real |
| `hub` | a tiny GitHub-shaped host: numbers, states, deliveries, signatures |
| `post` | real HTTP to the house |
| `runs` | the pipelines told step by step |
| `town` | the stories |
| `house` | the server as a child, and its commands |
| `ledger` | loads a real ledger |
"""
