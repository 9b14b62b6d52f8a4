// What a shared libtern shows to the programs that it is linked with.
#ifndef TERN_API_H_
#define TERN_API_H_

#define TERN_API __attribute__((visibility("default")))
// Of a class within a public one.
#define TERN_PRIVATE __attribute__((visibility("hidden")))

#endif  // TERN_API_H_
