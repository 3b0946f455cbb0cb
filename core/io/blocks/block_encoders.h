#ifndef XKDE_CORE_IO_BLOCKS_BLOCK_ENCODERS_H_
#define XKDE_CORE_IO_BLOCKS_BLOCK_ENCODERS_H_

#include <cstdint>

namespace xkde {

// Each encodes one block of finite numbers, 32 of them, in the layout that block_formats.cpp
// decodes. The bytes are those of gguf-py's `quantize`; blocks whose numbers are all too small for
// the inverse of their scale become zeros.
void encode_q4_0(const float* in, uint8_t* out);
void encode_q5_0(const float* in, uint8_t* out);
void encode_q5_1(const float* in, uint8_t* out);
void encode_q8_0(const float* in, uint8_t* out);

// The same for blocks of 256, which gguf-py does not encode. For normally distributed numbers the
// square error is below 0.9 (Q4_K), 0.95 (Q5_K) and 0.7 (Q6_K) of that of plain grids, whose exact
// scales are those from the lowest to the highest number of a group.
void encode_q4_k(const float* in, uint8_t* out);
void encode_q5_k(const float* in, uint8_t* out);
void encode_q6_k(const float* in, uint8_t* out);

}  // namespace xkde

#endif  // XKDE_CORE_IO_BLOCKS_BLOCK_ENCODERS_H_
