"""The figures and claims of Cui, Li, Zhang, 2021: what each figure shows, its numbers, drawn, and what they say.

`figures` says what each figure shows, `results` reads the table of what was measured, by `mmvsolvers_nn.paper`, and
`drawing` and `claims` read that table only.
"""
