"""The figures of Cui, Li, Zhang, 2021, measured, learned schemes and classical ones: `mmv reproduce`.

`mmvsolvers.paper.figures` says what each figure shows, `scales` how carefully it is measured, `tasks` how one point of
it is, and `run` has all of them done; `table` is one table of what was found.
"""
