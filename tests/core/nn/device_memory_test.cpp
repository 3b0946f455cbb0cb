#include "core/nn/device_memory.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include "core/nn/products.h"

namespace xkde {
namespace {

// Without a limit, 600 shapes take some 400 MB here.
TEST(DeviceMemory, ProductsOfManyShapesDoNotFillTheMemory) {
#ifdef __SANITIZE_ADDRESS__
  GTEST_SKIP() << "AddressSanitizer holds memory that was given back";
#endif
  if (widens_products()) GTEST_SKIP() << "no code is made for bf16 products on this CPU";
  limit_product_cache();
  const at::Tensor weight = at::ones({256, 256}, at::kBFloat16);
  at::matmul(at::ones({1, 256}, at::kBFloat16), weight);
  const int64_t before = used_bytes(at::kCPU);

  for (int64_t rows = 100; rows < 700; ++rows)
    at::matmul(at::ones({rows, 256}, at::kBFloat16), weight);

  EXPECT_LT(used_bytes(at::kCPU) - before, 2 * kCachedProducts * kCachedProductBytes);
}

}  // namespace
}  // namespace xkde
