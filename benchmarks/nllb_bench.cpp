// Scores answers with the NLLB reward: for every line on standard input one timed round over all
// cases, and one JSON line {"answers", "seconds", "scores"}. Opening the model is not timed.
//   nllb_bench --model DIR --cases cases.json [--threads 2] [--tokens-per-batch 1024]
// cases.json: [{"gold", "answers": [...], "gold_language", "answer_language"}, ...]. Used by
// benchmarks/compare/compare_nllb.py.

#include <cstdint>
#include <exception>
#include <iostream>
#include <string>
#include <vector>

#include <ATen/Parallel.h>
#include <CLI/CLI.hpp>

#include "core/base/error.h"
#include "core/base/stopwatch.h"
#include "core/io/json_file.h"
#include "core/reward/nllb_reward.h"

namespace {

std::vector<xkde::RewardCase> read_cases(const std::string& file) {
  std::vector<xkde::RewardCase> cases;
  for (const xkde::Json& row : xkde::read_json_file(file)) {
    cases.push_back(
        {row.at("gold").get<std::string>(), row.at("answers").get<std::vector<std::string>>(),
         row.at("gold_language").get<std::string>(), row.at("answer_language").get<std::string>()});
  }
  return cases;
}

void run(const std::string& model, const std::string& file, int64_t tokens) {
  const std::vector<xkde::RewardCase> cases = read_cases(file);
  xkde::NllbRewardOptions options;
  options.max_tokens_per_batch = tokens;
  const auto reward = xkde::make_nllb_reward(model, options);
  size_t answers = 0;
  for (const xkde::RewardCase& one : cases) answers += one.answers.size();
  for (std::string line; std::getline(std::cin, line);) {
    const xkde::Stopwatch watch;
    const auto scores = reward->score(cases);
    const double seconds = watch.seconds();
    std::cout << xkde::Json{{"answers", answers}, {"seconds", seconds}, {"scores", scores}}.dump()
              << std::endl;
  }
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app{"Times the NLLB reward; one round for each line on standard input"};
  std::string model;
  std::string cases;
  int threads = 1;
  int64_t tokens = 1024;
  app.add_option("--model", model, "Hugging Face folder")->required();
  app.add_option("--cases", cases, "JSON file")->required();
  app.add_option("--threads", threads)->check(CLI::PositiveNumber);
  app.add_option("--tokens-per-batch", tokens)->check(CLI::PositiveNumber);
  CLI11_PARSE(app, argc, argv);
  try {
    at::set_num_threads(threads);
    run(model, cases, tokens);
  } catch (const xkde::Error& error) {
    std::cerr << error.kind() << ": " << error.what() << '\n';
    return static_cast<int>(error.exit_code());
  } catch (const std::exception& error) {
    std::cerr << error.what() << '\n';
    return static_cast<int>(xkde::ExitCode::kInternal);
  }
  return 0;
}
