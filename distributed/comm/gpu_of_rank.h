#ifndef XKDE_DISTRIBUTED_COMM_GPU_OF_RANK_H_
#define XKDE_DISTRIBUTED_COMM_GPU_OF_RANK_H_

namespace xkde::dist {

/// The GPU, of the `gpus` of this host, that rank `local_rank` of `local_size` on it uses: one
/// each. With `may_share` they go round the GPUs. Throws DeviceError where there are too few.
int gpu_of_rank(int local_rank, int local_size, int gpus, bool may_share);

/// The same, of the GPUs that LibTorch sees. Ranks may share one where ranks_may_share_gpus().
int gpu_of_rank(int local_rank, int local_size);

/// Whether NCCL_MULTI_RANK_GPU_ENABLE allows several ranks on one GPU (NCCL 2.30 and later).
bool ranks_may_share_gpus();

}  // namespace xkde::dist

#endif  // XKDE_DISTRIBUTED_COMM_GPU_OF_RANK_H_
