// Runs the tests of one program on every rank: rank 0 prints as usual, the others only their
// failures, and all fail when one does. With --hang-rank N, rank N waits for a debugger first.

#include <atomic>
#include <charconv>
#include <iostream>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <thread>

#include <gtest/gtest.h>
#include <unistd.h>

#include "distributed/comm/mpi_communicator.h"
#include "tests/distributed/comm/mpi_test_environment.h"

namespace xkde::dist {
namespace {

MpiEnvironment* environment = nullptr;

class FailurePrinter final : public ::testing::EmptyTestEventListener {
 public:
  void OnTestPartResult(const ::testing::TestPartResult& result) override {
    if (!result.failed()) return;
    const auto* test = ::testing::UnitTest::GetInstance()->current_test_info();
    std::string text = "[rank " + std::to_string(environment->rank()) + "] ";
    if (test != nullptr) text += std::string(test->test_suite_name()) + "." + test->name() + ": ";
    text += std::string(result.file_name() != nullptr ? result.file_name() : "?") + ":" +
            std::to_string(result.line_number()) + ": " + result.message() + "\n";
    std::cerr << text << std::flush;
  }
};

// In a debugger: attach to the printed process, `set var xkde::dist::go = true`, continue.
std::atomic<bool> go{false};

void wait_for_debugger() {
  std::cerr << "[rank " << environment->rank() << "] process " << getpid() << " on "
            << environment->hostnames()[static_cast<size_t>(environment->rank())]
            << " waits for a debugger to set xkde::dist::go\n";
  while (!go) std::this_thread::sleep_for(std::chrono::milliseconds(100));
}

std::optional<int> hang_rank(int argc, char** argv) {
  for (int i = 1; i + 1 < argc; ++i) {
    if (std::string_view(argv[i]) != "--hang-rank") continue;
    const std::string_view value = argv[i + 1];
    int rank = 0;
    if (std::from_chars(value.data(), value.data() + value.size(), rank).ec == std::errc()) {
      return rank;
    }
  }
  return std::nullopt;
}

int run_tests(int argc, char** argv) {
  if (hang_rank(argc, argv) == environment->rank()) wait_for_debugger();
  if (environment->rank() != 0) {
    auto& listeners = ::testing::UnitTest::GetInstance()->listeners();
    delete listeners.Release(listeners.default_result_printer());
    listeners.Append(new FailurePrinter);
  }
  const int own = RUN_ALL_TESTS();
  const auto comm = make_mpi_communicator(*environment, {.group = "verdict", .timeout_s = 60});
  int failed_ranks = 0;
  for (const auto& verdict : comm->all_gather_bytes(own == 0 ? "" : "failed")) {
    if (!verdict.empty()) ++failed_ranks;
  }
  if (environment->rank() == 0 && failed_ranks > 0) {
    std::cerr << "failures on " << failed_ranks << " of " << environment->size() << " ranks\n";
  }
  return failed_ranks == 0 ? 0 : 1;
}

}  // namespace

MpiEnvironment& mpi_test_environment() { return *environment; }

}  // namespace xkde::dist

int main(int argc, char** argv) {
  ::testing::InitGoogleTest(&argc, argv);
  xkde::dist::MpiEnvironment environment;
  xkde::dist::environment = &environment;
  return xkde::dist::run_tests(argc, argv);
}
