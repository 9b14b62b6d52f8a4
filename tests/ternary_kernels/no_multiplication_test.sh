#!/bin/sh
# Disassembles objects of the ternary kernels and fails on a vector or floating
# point multiplication, of whatever origin: Highway, or the compiler's own idea
# of a loop.  Scalar integer multiplications are let pass: they are addresses.
#   no_multiplication_test.sh OBJDUMP PROCESSOR OBJECT...
# Of the objects, those named below are read: the float kernels beside them
# multiply by trade.  Quantising and scaling (activations) may, in the functions
# named below and nowhere else.
set -eu
objdump=$1
processor=$2
shift 2
here=$(dirname "$0")
# Highway's operator* stands alone in a debug build.
scaling='::operator[*][<(]|::(QuantizeActivations|QuantizeOnTarget|QuantizeVector|ScaleOnTarget|ScaleByRowOnTarget|AddScaledOnTarget|ScaleFloatsOnTarget|ScaleFloatsByRowOnTarget|AddScaledFloatsOnTarget)\('

case $processor in
  x86_64 | AMD64) arch=x86 targets='SSSE3 SSE4 AVX2 AVX3 AVX3_DL' ;;
  aarch64 | arm64) arch=arm targets=NEON ;;
  *) echo "no_multiplication_test: no patterns for $processor" >&2; exit 1 ;;
esac

# check ARCH ALLOWED TARGETS WITNESS: reads a disassembly from stdin.  WITNESS
# is an instruction that every target's code must contain.
check() {
  awk -v arch="$1" -v allowed="$2" -v targets="$3" -v witness="$4" \
    -f "$here/multiplications.awk"
}

# The patterns catch what they must, and a missing target is noticed.
expect_caught() {  # expect_caught ARCH INSTRUCTION
  if printf '0 <f::N_T::g(int)>:\n   0:\t%s\n   4:\twitness v0.16b\n' "$2" |
      check "$1" '' T witness >/dev/null; then
    echo "no_multiplication_test: does not catch $1 $2" >&2
    exit 1
  fi
}
expect_passed() {  # expect_passed ARCH INSTRUCTION ALLOWED
  if ! printf '0 <f::N_T::g(int)>:\n   0:\t%s\n   4:\twitness v0.16b\n' "$2" |
      check "$1" "$3" T witness; then
    echo "no_multiplication_test: wrongly catches $1 $2" >&2
    exit 1
  fi
}
expect_caught x86 'vpmaddubsw %ymm0,%ymm1,%ymm2'
expect_caught x86 'pmaddwd %xmm0,%xmm1'
expect_caught x86 'vpmulld %zmm0,%zmm1,%zmm2'
expect_caught x86 'pmuludq %xmm0,%xmm1'
expect_caught x86 'vpdpbusd %ymm0,%ymm1,%ymm2'
expect_caught x86 '{vex} vpdpwssd %ymm0,%ymm1,%ymm2'
expect_caught x86 'mulss  %xmm0,%xmm1'
expect_caught x86 'vmulps %ymm0,%ymm1,%ymm2'
expect_caught x86 'vfmadd231ps %ymm0,%ymm1,%ymm2'
expect_caught x86 'vfnmadd213sd %xmm0,%xmm1,%xmm2'
expect_caught arm 'mul	v0.8h, v1.8h, v2.8h'
expect_caught arm 'mla	v0.4s, v1.4s, v2.s[0]'
expect_caught arm 'smull2	v0.8h, v1.16b, v2.16b'
expect_caught arm 'umlal	v0.8h, v1.8b, v2.8b'
expect_caught arm 'sdot	v0.4s, v1.16b, v2.16b'
expect_caught arm 'fmla	v0.4s, v1.4s, v2.4s'
expect_caught arm 'fmul	s0, s1, s2'
expect_caught arm 'bfdot	v0.4s, v1.8h, v2.8h'
expect_caught arm 'bfmmla	v0.4s, v1.8h, v2.8h'
expect_caught arm 'bfmlalb	v0.4s, v1.8h, v2.8h'
expect_passed x86 'imul   $0x1fc,%ecx,%r15d' ''
expect_passed x86 'vmulps %ymm0,%ymm1,%ymm2' '::g\('
expect_passed arm 'mul	x0, x1, x2' ''
expect_passed arm 'umull	x0, w1, w2' ''
expect_passed arm 'bfi	x6, x1, #32, #32' ''
expect_passed arm 'bfxil	x3, x1, #0, #32' ''
if printf '0 <f::N_T::g(int)>:\n   0:\tnop\n' |
    check x86 '' T witness >/dev/null; then
  echo "no_multiplication_test: passes code without its witness" >&2
  exit 1
fi

read_objects=0
for object in "$@"; do
  allowed=
  seen=$targets
  case $object in
    *matvec.cc.o) witness='v?pshufb|tbl' ;;
    *matmul.cc.o) witness='v?paddw|add' ;;
    *float_sums.cc.o) witness='v?addps|fadd' ;;
    *activations.cc.o) allowed=$scaling witness='v?mulps|fmul' ;;
    *reference.cc.o) allowed=$scaling witness= seen= ;;
    *self_test.cc.o) witness= seen= ;;
    *attention.cc.o | *cache_block.cc.o | *dense.cc.o | *elementwise.cc.o) continue ;;
    *head.cc.o | *screen_texts.cc.o | *targets.cc.o) continue ;;
    *)
      echo "no_multiplication_test: $object: may it multiply? name it here" >&2
      exit 1
      ;;
  esac
  read_objects=$((read_objects + 1))
  echo "$object"
  "$objdump" -d -C --no-show-raw-insn "$object" |
    check "$arch" "$allowed" "$seen" "$witness"
done
if [ "$read_objects" -ne 6 ]; then
  echo "no_multiplication_test: read $read_objects objects, not 6" >&2
  exit 1
fi
