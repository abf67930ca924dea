"""Dynamic blocks as GPU kernels, and how they are timed; needs the extra `latpred[gpu]` (torch, triton).

`kernels` are written in Triton and `launch` starts them; `reference` says in plain PyTorch what they must compute;
`blocks` chains them to static, spatial, channel and layer blocks; `runners` makes an operator or block of latpred
into something to time, and `timing` times it. Nothing else in latpred imports this package before `latpred measure`
asks for it.
"""
