// Continues a text with a model:  tell MODEL PROMPT
#include <iostream>

#include <tern/tern.h>

int main(int argc, char** argv) {
  if (argc != 3) {
    std::cerr << "usage: tell MODEL PROMPT\n";
    return 2;
  }
  try {
    const auto model = tern::Model::Load(argv[1]);
    const tern::Tokenizer& tokenizer = model->tokenizer();
    tern::Session session(model, {.context_length = 256});
    tern::Sampler sampler({.temperature = 0});
    session.Append(tokenizer.Encode(argv[2]));
    tern::StreamDecoder decoder(tokenizer);
    for (int i = 0; i < 24; ++i) {
      const tern::Token token = session.Next(sampler);
      if (tokenizer.IsEndOfText(token)) break;
      std::cout << decoder.Push(token) << std::flush;
    }
    std::cout << decoder.Flush() << "\n";
  } catch (const tern::Error& error) {
    std::cerr << error.what() << "\n";
    return 1;
  }
  return 0;
}
