"""The sequential iterations in plain torch: slow, readable, differentiated by autograd; backends are tested on them."""
