"""The figures and claims of Cui, Li, Zhang, 2021, from measurements: `mmv reproduce`, `mmv draw` and `mmv claims`.

`figures` says what each figure shows, `scales` how carefully it is measured, `tasks` how one point of it is, and `run`
has all of them done; `results` makes one table of what was found, `drawing` and `claims` read that table only.
"""
