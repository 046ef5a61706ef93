"""The door for people and machines: pages, HTTP API, live feed. It decides nothing; it asks `app`.

`site`      the routes, each with the one action it needs
`guard`     who is asking, may they, and the headers of every answer
`pages`     what people read; `live` what moves on it; `signin` who they are
`hooks`     deliveries in; `facts` facts in; `log` the log out, as C2SP tlog-tiles; `api` the rest
`words`     times and figures in words; `sentences` one sentence per kind; `hostile` texts made harmless
`problems`  refusals, for machines and for people
"""
