// How far two files of second moments differ, for covariance_run_test.py: a JSON line for each
// place.
//
// usage: compare_moments ONE OTHER
#include <cstdio>

#include <ATen/ATen.h>

#include "core/base/error.h"
#include "core/editing/moments/covariance_file.h"
#include "core/io/json_file.h"

int main(int argc, char** argv) {
  using namespace xkde;
  if (argc != 3) return 64;
  try {
    const CovarianceFile one = CovarianceFile::open(argv[1]), other = CovarianceFile::open(argv[2]);
    XKDE_CHECK(one.places() == other.places(), DataError, argv[2], ": expected the same places");
    for (const std::string& place : one.places()) {
      const SecondMoment a = one.read(place), b = other.read(place);
      const double most = (a.mean - b.mean).abs().max().item<double>();
      const Json line{{"place", place},
                      {"width", a.mean.size(0)},
                      {"tokens", a.tokens},
                      {"same_tokens", a.tokens == b.tokens},
                      {"trace", a.mean.trace().item<double>()},
                      {"difference", most / a.mean.abs().max().item<double>()}};
      std::puts(line.dump().c_str());
    }
  } catch (const Error& error) {
    std::fprintf(stderr, "%s\n", error.what());
    return static_cast<int>(error.exit_code());
  }
}
