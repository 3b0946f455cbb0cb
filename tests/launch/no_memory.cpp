/// A library for LD_PRELOAD whose initialiser gets no memory.

#include <new>

namespace {

struct Greedy {
  Greedy() { throw std::bad_alloc(); }
};
// NOLINTNEXTLINE(cert-err58-cpp): that it throws where nobody can catch it is what it is for
const Greedy kGreedy;

}  // namespace
