#include <cstdint>
#include <fstream>
#include <memory>
#include <string>
#include <vector>

#include "core/base/error.h"
#include "core/data/benchmarks/benchmarks.h"
#include "core/data/conversation.h"
#include "core/data/preference_rows.h"
#include "core/io/gguf.h"
#include "core/io/journal.h"
#include "core/io/json_file.h"
#include "core/io/numpy/npz_file.h"
#include "core/io/safetensors.h"
#include "core/model/encoders/m2m100_config.h"
#include "core/model/encoders/sentence_encoder_config.h"
#include "core/model/families/family.h"
#include "core/model/pretrained/folder_weights.h"
#include "core/model/pretrained/gguf_weights.h"
#include "core/text/chat_template.h"
#include "core/text/nllb_tokenizer.h"
#include "core/text/sentencepiece/sentencepiece.h"
#include "core/text/tokenizer/tokenizer.h"
#include "core/text/tokenizer/word_piece.h"
#include "core/text/xlmr_tokenizer.h"
#include "stages/export/keys.h"
#include "stages/export/quantize_keys.h"
#include "stages/recipe/recipe.h"
#include "stages/train/orpo_keys.h"
#include "stages/train/sft_keys.h"
#include "tests/fuzz/fuzz_target.h"

namespace xkde::fuzz {
namespace {

namespace fs = std::filesystem;

/// Texts that reach letters of several lengths, digits, blanks and what stands for nothing.
constexpr std::string_view kTexts[] = {"", "Who built the old bridge in 1987?",
                                       "\u00e9\u0301 \u6865 \U0001F309 <unk></s>\t\n  x"};

fs::path write(const fs::path& folder, const char* name, std::string_view bytes) {
  const fs::path file = folder / name;
  std::ofstream(file, std::ios::binary).write(bytes.data(), std::ssize(bytes));
  return file;
}

/// Without the stages whose checks open encoders, so that the program links without tensors.
constexpr recipe::StageParser kStages[] = {
    recipe::parser_of<recipe::SftStage>(), recipe::parser_of<recipe::OrpoStage>(),
    recipe::parser_of<recipe::QuantizeStage>(), recipe::parser_of<recipe::ExportStage>()};

void read_recipe_text(std::string_view bytes, const fs::path&) {
  recipe::parse_recipe(bytes, "recipe.yaml", kStages);
}

void read_json(std::string_view bytes, const fs::path&) { parse_json(bytes, "file.json"); }

void read_weights(const fs::path& file) {
  const auto weights = open_safetensors({file});
  for (const std::string& name : weights->names()) {
    int64_t numel = 1;
    for (const int64_t extent : weights->shape(name)) numel *= extent;
    std::vector<float> values(static_cast<size_t>(numel));
    weights->read_f32(name, 0, values);
  }
}

void read_safetensors(std::string_view bytes, const fs::path& folder) {
  read_weights(write(folder, "model.safetensors", bytes));
}

void read_npz(std::string_view bytes, const fs::path& folder) {
  const NpzFile file = NpzFile::open(write(folder, "stats.npz", bytes));
  std::vector<double> values(9);
  file.read("mom2.mom2", {3, 3}, values);
  file.read_integer("mom2.count");
}

void read_index(std::string_view bytes, const fs::path& folder) {
  write(folder, "model.safetensors.index.json", bytes);
  write(folder, "a.safetensors", "a");
  safetensors_files(folder);
}

void read_config(std::string_view bytes, const fs::path&) {
  const ModelConfig config =
      ModelConfig::from_json(parse_json(bytes, "config.json"), "config.json");
  for (const int64_t unit : {int64_t{0}, int64_t{1}, num_units(config) - 1}) unit_at(config, unit);
  config.to_json(Dtype::kFloat32);
}

void read_encoder_config(std::string_view bytes, const fs::path& folder) {
  write(folder, "config.json", bytes);
  SentenceEncoderConfig::from_folder(folder);
}

void read_nllb_config(std::string_view bytes, const fs::path& folder) {
  M2m100Config::from_file(write(folder, "config.json", bytes));
}

template <typename Encodes>
void encode_all(const Encodes& encode) {
  for (const std::string_view text : kTexts) {
    try {
      encode(text);
    } catch (const DataError&) {  // a file may hold no token for a text
    }
  }
}

void use(const Tokenizer& tokenizer) {
  encode_all([&](std::string_view text) { tokenizer.decode(tokenizer.encode(text, true)); });
  tokenizer.largest_id();
}

void read_gguf(std::string_view bytes, const fs::path& folder) {
  const auto file =
      std::make_shared<const GgufFile>(GgufFile::open(write(folder, "model.gguf", bytes)));
  for (const GgufFile::Tensor& tensor : file->tensors()) {
    int64_t numel = 1;
    for (const int64_t extent : tensor.shape) numel *= extent;
    if (numel > (1 << 20)) continue;
    std::vector<float> values(static_cast<size_t>(numel));
    try {
      file->read_f32(tensor, values);
    } catch (const DataError&) {  // a type that is not read
    }
  }
  open_gguf_weights(file, config_from_gguf(*file));
  use(Tokenizer::from_gguf(*file));
}

void read_tokenizer(std::string_view bytes, const fs::path&) {
  use(Tokenizer::from_json(parse_json(bytes, "tokenizer.json"), nullptr, "tokenizer.json"));
}

void read_word_piece(std::string_view bytes, const fs::path& folder) {
  write(folder, "tokenizer.json", bytes);
  const WordPiece words = WordPiece::open(folder);
  encode_all([&](std::string_view text) { words.encode(text, 64); });
}

void read_chat_template(std::string_view bytes, const fs::path&) {
  using Role = ChatMessage::Role;
  const ModelTemplate model{.source = std::string(bytes),
                            .tokens = {{"bos_token", "<s>"}, {"eos_token", "</s>"}},
                            .clock = jinja::parse_clock("2026-11-28")};
  const ChatTemplate chat = ChatTemplate::select("auto", model);
  chat.prompt("Who?");
  const std::vector<ChatMessage> turns{{Role::kSystem, "s"},
                                       {Role::kUser, "u"},
                                       {Role::kAssistant, "a"},
                                       {Role::kUser, " v\n"},
                                       {Role::kAssistant, " b "}};
  try {
    const std::string whole = chat.finished(turns);
    if (chat.format() != ChatTemplate::Format::kOwn) return;
    chat.written(turns);
    chat.places_of_answers(turns, whole);
  } catch (const DataError&) {  // a template may turn a conversation away
  }
}

void read_sentencepiece(std::string_view bytes, const fs::path& folder) {
  const fs::path file = write(folder, "sentencepiece.bpe.model", bytes);
  const NllbTokenizer tokenizer = NllbTokenizer::open(folder);
  encode_all([&](std::string_view text) { tokenizer.encode(text, "eng_Latn"); });
  const XlmrTokenizer other = XlmrTokenizer::open(file);
  encode_all([&](std::string_view text) { other.encode(text, 64); });
}

void read_training_data(std::string_view bytes, const fs::path& folder) {
  read_conversations(write(folder, "train.json", bytes));
}

void read_sample_lines(std::string_view bytes, const fs::path& folder) {
  read_samples(write(folder, "samples.jsonl", bytes));
}

void read_pair_lines(std::string_view bytes, const fs::path& folder) {
  read_pairs(write(folder, "pairs.jsonl", bytes));
}

/// A file of any benchmark: the error is that of the last one that refused it.
void read_edits(std::string_view bytes, const fs::path& folder) {
  const fs::path file = write(folder, "edits.json", bytes);
  std::string refusal;
  bool is_accepted = false;
  for (const BenchmarkSource* benchmark : benchmarks()) {
    try {
      benchmark->read(file);
      is_accepted = true;
    } catch (const DataError& error) {
      refusal = error.what();
    }
  }
  XKDE_CHECK(is_accepted, DataError, refusal);
}

void read_journal(std::string_view bytes, const fs::path& folder) {
  size_t total = 0;
  Journal(write(folder, "x.journal", bytes), Journal::Use::kRead,
          [&](std::string_view entry) { total += entry.size(); });
}

constexpr FuzzTarget kTargets[] = {{"recipe", read_recipe_text, ExitCode::kBadRecipe},
                                   {"json", read_json},
                                   {"safetensors", read_safetensors},
                                   {"npz", read_npz},
                                   {"index", read_index},
                                   {"config", read_config},
                                   {"encoder_config", read_encoder_config},
                                   {"nllb_config", read_nllb_config},
                                   {"gguf", read_gguf},
                                   {"tokenizer", read_tokenizer},
                                   {"word_piece", read_word_piece},
                                   {"chat_template", read_chat_template, ExitCode::kBadRecipe},
                                   {"sentencepiece", read_sentencepiece},
                                   {"conversations", read_training_data},
                                   {"samples", read_sample_lines},
                                   {"pairs", read_pair_lines},
                                   {"edits", read_edits},
                                   {"journal", read_journal}};

}  // namespace

std::span<const FuzzTarget> targets() { return kTargets; }

}  // namespace xkde::fuzz
