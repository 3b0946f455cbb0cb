// Edit memories: exact search and the file form; one JSON line a case.
//   memory_bench [--facts 1000000] [--queries 64] [--k 1] [--repeats 9] [--threads 0] [--portable]
//                [--encoder FOLDER] [--encoded 16384] [--width 384] [--store FOLDER]
//
// Kinds of facts (`data`):
//   encoder    with --encoder: embeddings of generated questions about invented people and places.
//              The first --encoded of them come from the encoder; each further one is the mean of a
//              question's form and the mixed deviations of two of these, which keeps the means and
//              the spectrum.
//   spectrum   without: random vectors with principal axes of strength 1 / n^0.6.
//   isotropic  random vectors with none, so that nothing can be left out.
// Kinds of queries (`asks`): `matching` are rephrased questions of the first facts (or facts with
// noise), `unrelated` are other questions (or vectors that are drawn like facts); `single` is one
// matching query, `short` one query among 1,000 facts.
// seconds_median, seconds_min: of a call of top_k(). cpu_seconds: processor time of the fastest
// call, of all threads. The codes, which the first search makes, are timed apart (prepare_seconds).
// --store: a memory of as many facts in that folder: bytes, appends of one fact, save, open.

#include <algorithm>
#include <array>
#include <cstdint>
#include <ctime>
#include <filesystem>
#include <iostream>
#include <random>
#include <string>
#include <vector>

#include <ATen/ATen.h>
#include <ATen/CPUGeneratorImpl.h>
#include <ATen/Parallel.h>
#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include "core/base/stopwatch.h"
#include "core/memory/edit_memory.h"
#include "core/memory/embed_texts.h"
#include "core/memory/fact_index.h"
#include "core/memory/search/code_kernels.h"

namespace {

namespace fs = std::filesystem;
using namespace xkde;

struct Settings {
  int64_t facts = 1000000;
  int64_t width = 384;
  int64_t queries = 64;
  int64_t k = 1;
  int repeats = 9;
  bool portable = false;
  fs::path encoder;
  int64_t encoded = 16384;
  fs::path store;
};

double cpu_seconds() {
  timespec time{};
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time);
  return static_cast<double>(time.tv_sec) + 1e-9 * static_cast<double>(time.tv_nsec);
}

at::Tensor noise(int64_t rows, int64_t width, uint64_t seed) {
  return at::randn({rows, width}, at::detail::createCPUGenerator(seed), at::kFloat);
}

double median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return values[values.size() / 2];
}

/// A question's form and its rephrasing; # stands for the subject.
struct Form {
  const char* question;
  const char* rephrased;
};
constexpr std::array<Form, 16> kForms{{
    {"What is the mother tongue of #?", "The first language of # is"},
    {"In which city was # born?", "The birthplace of # is"},
    {"Who is the spouse of #?", "# is married to"},
    {"What is the occupation of #?", "What does # do for a living?"},
    {"Which university did # attend?", "Where did # study?"},
    {"What instrument does # play?", "# is known for playing the"},
    {"The place of death of # is", "In which town did # die?"},
    {"Which team does # play for?", "The club of # is"},
    {"Which organisation runs #?", "Who is the operator of #?"},
    {"In which country is # located?", "The country that # lies in is"},
    {"Who designed #?", "The architect of # is"},
    {"When was # founded?", "The year of foundation of # is"},
    {"Who owns #?", "The owner of # is"},
    {"Who wrote the novel #?", "The author of the book # is"},
    {"Which record label released #?", "# appeared on the label"},
    {"On which channel was # first shown?", "The broadcaster of # was"},
}};
constexpr std::array<const char*, 16> kOther{
    {"how many strings does a standard bass guitar have", "when was the first comet photographed",
     "what is the boiling point of nitrogen", "who won the world series last year",
     "what does the legislative branch do", "how long is a marathon in miles",
     "what year did the berlin wall fall", "how do plants make oxygen",
     "when is the next total solar eclipse", "who invented the paper clip",
     "what are the three states of matter", "largest lake in north america by volume",
     "how to remove rust from a bicycle chain", "why is the sky blue in the morning",
     "best way to cook rice without a lid", "how much does an adult elephant weigh"}};

std::string subject(std::mt19937_64& random) {
  constexpr std::array<const char*, 32> kSyllables{
      "mar", "vel", "tor",  "lan",  "dri",  "sen",   "kov",  "bel", "ar",  "no",   "vi",
      "ska", "ter", "hol",  "ber",  "gren", "dal",   "wick", "ham", "ros", "bury", "ley",
      "ton", "ina", "well", "mont", "clai", "field", "os",   "ek",  "ulm", "yar"};
  std::string name;
  for (int word = 0; word < 2; ++word) {
    if (word > 0) name += ' ';
    const size_t start = name.size();
    for (uint64_t i = 0; i < 2 + random() % 2; ++i) name += kSyllables[random() % 32];
    name[start] = static_cast<char>(name[start] - 'a' + 'A');
  }
  return name;
}

std::string filled(std::string form, const std::string& name) {
  return form.replace(form.find('#'), 1, name);
}

/// Facts part by part, and queries for them.
class Data {
 public:
  virtual ~Data() = default;
  virtual std::string name() const = 0;
  virtual int64_t width() const = 0;
  virtual at::Tensor facts(int64_t first, int64_t count) = 0;
  virtual at::Tensor queries(int64_t count, bool matching) = 0;
};

class RandomData final : public Data {
 public:
  RandomData(const Settings& settings, bool isotropic)
      : isotropic_(isotropic),
        axes_(at::arange(1, settings.width + 1, at::kFloat).pow(isotropic ? 0.0 : -0.6)) {}
  std::string name() const override { return isotropic_ ? "isotropic" : "spectrum"; }
  int64_t width() const override { return axes_.size(0); }
  at::Tensor facts(int64_t first, int64_t count) override {
    return noise(count, width(), static_cast<uint64_t>(first)) * axes_;
  }
  at::Tensor queries(int64_t count, bool matching) override {
    const at::Tensor fresh = noise(count, width(), 987654321) * axes_;
    return matching ? facts(0, 4096).narrow(0, 0, count) + 0.5 * fresh : fresh;
  }

 private:
  bool isotropic_;
  at::Tensor axes_;
};

class EncoderData final : public Data {
 public:
  explicit EncoderData(const Settings& settings)
      : encoder_(SentenceEncoder::open(settings.encoder)) {
    std::mt19937_64 random(1);
    std::vector<std::string> texts;
    for (int64_t i = 0; i < settings.encoded; ++i) {
      subjects_.push_back(subject(random));
      texts.push_back(filled(form_of(i).question, subjects_.back()));
    }
    const Stopwatch watch;
    rows_ = embed_texts(encoder_, texts);
    rows_ = rows_ / rows_.norm(2, {1}, /*keepdim=*/true);
    const auto forms = static_cast<int64_t>(kForms.size());
    // Row i has form i mod 16.
    const at::Tensor by_form =
        rows_.narrow(0, 0, rows_.size(0) / forms * forms).view({-1, forms, rows_.size(1)});
    means_ = by_form.mean(0);
    deviations_ = (by_form - means_).reshape({-1, rows_.size(1)});
    std::cout << nlohmann::json{{"bench", "memory_embed"},
                                {"texts", texts.size()},
                                {"threads", at::get_num_threads()},
                                {"seconds", watch.seconds()}}
              << std::endl;
  }
  std::string name() const override { return "encoder"; }
  int64_t width() const override { return rows_.size(1); }
  at::Tensor facts(int64_t first, int64_t count) override {
    const int64_t real = std::clamp<int64_t>(rows_.size(0) - first, 0, count);
    auto generator = at::detail::createCPUGenerator(static_cast<uint64_t>(first));
    const auto some = [&](const at::Tensor& from) {
      return from.index_select(0,
                               at::randint(0, from.size(0), {count - real}, generator, at::kLong));
    };
    const at::Tensor mixed =
        some(means_) + (some(deviations_) + some(deviations_)) / std::sqrt(2.0);
    return at::cat({rows_.narrow(0, std::min(first, rows_.size(0)), real), mixed});
  }
  at::Tensor queries(int64_t count, bool matching) override {
    std::vector<std::string> texts;
    std::mt19937_64 random(2);
    for (int64_t i = 0; i < count; ++i) {
      const auto at = static_cast<size_t>(i);
      texts.push_back(matching ? filled(form_of(i).rephrased, subjects_[at])
                               : std::string(kOther[at % kOther.size()]) +
                                     (at < kOther.size() ? "" : " " + subject(random)));
    }
    return embed_texts(encoder_, texts);
  }

 private:
  static const Form& form_of(int64_t i) { return kForms[static_cast<size_t>(i) % kForms.size()]; }

  SentenceEncoder encoder_;
  std::vector<std::string> subjects_;
  at::Tensor rows_, means_, deviations_;
};

void search(const Settings& settings, Data& data, const FactIndex& index, const std::string& asks,
            const at::Tensor& queries, FactRange range, double prepare) {
  const std::vector<FactRange> ranges(static_cast<size_t>(queries.size(0)), range);
  std::vector<double> seconds;
  double cpu = 1e9;
  double score = 0;
  for (int i = 0; i <= settings.repeats; ++i) {
    const double before = cpu_seconds();
    const Stopwatch watch;
    const auto hits = index.top_k(queries, settings.k, ranges);
    if (i > 0) seconds.push_back(watch.seconds());
    cpu = std::min(cpu, cpu_seconds() - before);
    score = 0;
    for (const auto& found : hits) score += static_cast<double>(found.at(0).score);
  }
  const auto count = static_cast<double>(queries.size(0));
  const nlohmann::json line = {
      {"bench", "memory_search"},
      {"data", data.name()},
      {"asks", asks},
      {"facts", range.end - range.begin},
      {"width", data.width()},
      {"queries", queries.size(0)},
      {"k", settings.k},
      {"threads", at::get_num_threads()},
      {"kernels", settings.portable ? codes::portable_kernels().name : codes::best_kernels().name},
      {"mean_best_score", score / count},
      {"prepare_seconds", prepare},
      {"cpu_seconds", cpu},
      {"seconds_median", median(seconds)},
      {"seconds_min", *std::min_element(seconds.begin(), seconds.end())}};
  std::cout << line << std::endl;
}

void search_all(const Settings& settings, Data& data) {
  FactIndex index(data.width(), {.portable = settings.portable});
  constexpr int64_t kPart = 65536;
  for (int64_t i = 0; i < settings.facts; i += kPart) {
    index.append(data.facts(i, std::min(kPart, settings.facts - i)));
  }
  const Stopwatch making;
  index.prepare();
  const double prepare = making.seconds();
  const FactRange all{0, index.size()};
  const at::Tensor matching = data.queries(settings.queries, true);
  search(settings, data, index, "matching", matching, all, prepare);
  search(settings, data, index, "unrelated", data.queries(settings.queries, false), all, prepare);
  search(settings, data, index, "single", matching.narrow(0, 0, 1), all, prepare);
  search(settings, data, index, "short", matching.narrow(0, 0, 1),
         {0, std::min<int64_t>(1000, index.size())}, prepare);
}

void store(const Settings& settings) {
  const fs::path file = settings.store / "memory.h5";
  const MemoryKind kind{settings.width, "memory_bench"};
  std::mt19937_64 random(1);
  std::vector<MemoryFact> facts;
  for (int64_t i = 0; i < settings.facts; ++i) {
    facts.push_back(
        {filled(kForms[static_cast<size_t>(i) % kForms.size()].question, subject(random)),
         subject(random), "en", i});
  }
  const at::Tensor rows = noise(settings.facts, settings.width, 1);
  double append = 0;
  double save = 0;
  constexpr int64_t kOnes = 100;
  {
    EditMemory memory = EditMemory::create(file, kind);
    const Stopwatch saving;
    memory.append(facts, rows);  // too many for the journal: written as a whole
    save = saving.seconds();
    const Stopwatch appending;
    for (int64_t i = 0; i < kOnes; ++i) memory.append({facts.data(), 1}, rows.narrow(0, 0, 1));
    append = appending.seconds() / kOnes;
  }
  const Stopwatch opening;
  const EditMemory memory = EditMemory::open(file, kind, EditMemory::Access::kRead);
  const nlohmann::json line = {
      {"bench", "memory_store"},          {"facts", memory.size()}, {"width", settings.width},
      {"bytes", fs::file_size(file)},     {"save_seconds", save},   {"append_seconds", append},
      {"open_seconds", opening.seconds()}};
  std::cout << line << std::endl;
  fs::remove(file);
  fs::remove(file.string() + ".journal");
}

}  // namespace

int main(int argc, char** argv) {
  Settings settings;
  int threads = 0;
  CLI::App app{"Edit memories: exact search and the file form"};
  app.add_option("--facts", settings.facts)->check(CLI::Range(1, 100000000));
  app.add_option("--width", settings.width, "without --encoder")->check(CLI::Range(16, 4096));
  app.add_option("--queries", settings.queries)->check(CLI::Range(1, 4096));
  app.add_option("--k", settings.k)->check(CLI::Range(1, 1000));
  app.add_option("--repeats", settings.repeats)->check(CLI::Range(1, 1000));
  app.add_option("--threads", threads, "0: one for each core")->check(CLI::Range(0, 1024));
  app.add_flag("--portable", settings.portable, "without special instructions");
  app.add_option("--encoder", settings.encoder, "a sentence encoder's folder");
  app.add_option("--encoded", settings.encoded, "texts that it embeds")
      ->check(CLI::Range(4096, 100000000));
  app.add_option("--store", settings.store,
                 "a folder on the disk to measure; nothing is left in it")
      ->check(CLI::ExistingDirectory);
  CLI11_PARSE(app, argc, argv);
  if (threads > 0) at::set_num_threads(threads);
  if (!settings.store.empty()) {
    store(settings);
    return 0;
  }
  if (settings.encoder.empty()) {
    RandomData spectrum(settings, /*isotropic=*/false);
    search_all(settings, spectrum);
  } else {
    EncoderData encoder(settings);
    settings.width = encoder.width();
    search_all(settings, encoder);
  }
  RandomData isotropic(settings, /*isotropic=*/true);
  search_all(settings, isotropic);
  return 0;
}
