xkde_add_library(xkde_pretrained
  SOURCES export.cpp folder_weights.cpp gguf_weights.cpp model_config.cpp pretrained.cpp
  LINKS xkde_text xkde_io)
