"""Rows made from facts by pure functions. Rebuildable, and never the proof.

Derived rows hold no sealed value: pages open disclosures when they show them. So erasure never has to
reach here, and a rebuilt table equals the live one also after erasures.

`registry`      every projection in one list, and the fold of one entry into all of them
`names`         declared services and environments, and what a told name means
`people`        who was named, where their name can be opened, who was erased
`commits`       commits, and what each push brought · `changes` · `checks` · `artifacts`
`join`          when two reports are about one deployment, with the reason in words
`deployments`   reports joined into deployments · `deployment_rows` their rows · `known` how they are found
`environments`  what runs where, what it replaced, forward or back
`trail`         one row for each entry, by every filter · `attention` what was set aside
`tables`        how rows are declared · `reading`, `words` careful reading, the house's words
"""
