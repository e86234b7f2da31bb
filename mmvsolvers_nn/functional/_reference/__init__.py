"""The sequential iterations in plain torch, differentiated by autograd: slow, readable, and what backends are tested on."""
