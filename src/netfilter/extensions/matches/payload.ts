/** Matches on the bytes of the packet: string, u32, bpf. */
import type { Option } from '../../model.js';
import {
  type ExtensionRow,
  exclusive,
  option,
  type Refusal,
  refuse,
  type ValueType,
  valueGiven,
} from '../row.js';
import { exactly, formatHex, integer, kind, parseInteger, U32, word } from '../values.js';

/** XT_STRING_MAX_PATTERN_SIZE. */
const PATTERN_BYTES = 128;

/** Always in quotes; unlike other strings with only `"` and `\` escaped. */
const inQuotes = (text: string): string => `"${text.replace(/["\\]/g, '\\$&')}"`;

const sized = (bytes: readonly number[], text: string): string | Refusal => {
  if (bytes.length === 0) return refuse('takes a non-empty pattern');
  return bytes.length > PATTERN_BYTES
    ? refuse(`takes at most ${PATTERN_BYTES} bytes`, 'Shorten the pattern.')
    : text;
};

const plainPattern: ValueType = {
  ...kind(['test', 'GET /index.html', `it's "here"`, 'a\\b'], (text) => sized([...Buffer.from(text)], text)),
  print: inQuotes,
};

/** Text with bytes in hexadecimal between bars: `GET |0d 0a|`; a backslash takes the next character as it is. */
function hexBytes(text: string): readonly number[] | Refusal {
  const bytes: number[] = [];
  const source = [...Buffer.from(text)].map((code) => String.fromCharCode(code));
  let inHex = false;
  for (let index = 0; index < source.length; ) {
    const letter = source[index] ?? '';
    if (letter === '|') {
      inHex = !inHex;
      index++;
      while (inHex && source[index] === ' ') index++;
    } else if (inHex) {
      const pair = `${letter}${source[index + 1] ?? ''}`;
      if (!/^[0-9a-f]{2}$/i.test(pair))
        return refuse(`takes pairs of hexadecimal digits between bars, not "${pair}"`);
      bytes.push(Number.parseInt(pair, 16));
      index += 2;
      if (source[index] === ' ') index++;
    } else if (letter === '\\') {
      if (source[index + 1] === undefined) return refuse('ends in a backslash that escapes nothing');
      bytes.push(source[index + 1]?.charCodeAt(0) ?? 0);
      index += 2;
    } else {
      bytes.push(letter.charCodeAt(0));
      index++;
    }
  }
  return inHex ? refuse('has an unclosed "|"', 'Close it with another "|".') : bytes;
}

const hexPattern: ValueType = {
  ...kind(['|0a0b|', 'GET |0d 0a|', '|41424344|'], (text) => {
    const bytes = hexBytes(text);
    return 'refused' in bytes ? bytes : sized(bytes, `|${Buffer.from(bytes).toString('hex')}|`);
  }),
  print: inQuotes,
};

/** Save prints bytes as text when all are printable, else in hexadecimal, however they were given. */
function pattern(options: readonly Option[]): readonly Option[] | Refusal {
  const one = options.find((each) => each.flag === '--string' || each.flag === '--hex-string');
  if (one === undefined) return refuse('needs --string or --hex-string');
  const [from, to] = [valueGiven(options, '--from') ?? '0', valueGiven(options, '--to') ?? '65535'];
  if (Number(from) > Number(to)) return refuse('takes a --from below --to');
  const value = one.values[0] ?? '';
  const bytes = one.flag === '--string' ? Buffer.from(value) : Buffer.from(value.slice(1, -1), 'hex');
  const printable = bytes.every((byte) => byte >= 0x20 && byte <= 0x7e) && bytes.at(-1) !== 0x5c;
  return options.map((each) => {
    if (each !== one) return each;
    return printable
      ? { flag: '--string', negated: one.negated, values: [bytes.toString('latin1')] }
      : { flag: '--hex-string', negated: one.negated, values: [`|${bytes.toString('hex')}|`] };
  });
}

/** XT_U32_MAXSIZE: numbers in a location, values in a test, tests. */
const U32_SIZE = 10;

const number = String.raw`(?:0x[0-9a-fA-F]+|\d+)`;
const LOCATION = new RegExp(`^${number}(?:(?:&|<<|>>|@)${number})*$`);
const VALUES = new RegExp(`^${number}(?::${number})?(?:,${number}(?::${number})?)*$`);

/** `0&0xFFFF=0x0:0x10`: tests joined by `&&`, every number in hexadecimal. */
const words: ValueType = {
  ...kind(
    ['0x0=0x0', '0 & 0xFFFF = 0x100:0xFFFF', '6&0xFF=1 && 4&0x3FFF=0&&0>>22&0x3C@0>>24=0,5'],
    (text) => {
      const tests = text.replace(/\s+/g, '').split('&&');
      if (tests.length > U32_SIZE) return refuse(`takes at most ${U32_SIZE} tests`);
      const printed: string[] = [];
      for (const test of tests) {
        const [location = '', values = '', ...rest] = test.split('=');
        if (!LOCATION.test(location) || !VALUES.test(values) || rest.length > 0)
          return refuse(
            `does not accept "${test}"`,
            'Write tests such as 0&0xFFFF=0x100:0xFFFF, joined by &&.',
          );
        if (location.split(/&|<<|>>|@/).length > U32_SIZE || values.split(',').length > U32_SIZE)
          return refuse(`takes at most ${U32_SIZE} numbers in a place and in a value`);
        const numbers = [...test.matchAll(new RegExp(number, 'g'))].map(([found]) => parseInteger(found));
        if (numbers.some((each) => each === undefined || each > U32))
          return refuse(`has a number that does not fit 32 bits in "${test}"`);
        printed.push(test.replace(new RegExp(`${number}:${number}|${number}`, 'g'), hexRange));
      }
      return printed.join('&&');
    },
  ),
  print: (value) => `"${value}"`,
};

function hexRange(text: string): string {
  const [from = '', to = from] = text.split(':').map((each) => formatHex(parseInteger(each) ?? 0n));
  return from === to ? from : `${from}:${to}`;
}

/** A classic BPF program: its length, then `code jt jf k` for each instruction. */
const program: ValueType = {
  ...kind(['4,48 0 0 9,21 0 1 6,6 0 0 1,6 0 0 0'], (text) => {
    const [length = '', ...instructions] = text.replace(/,$/, '').split(',');
    const fits = /^\d+$/.test(length) && Number(length) === instructions.length && instructions.length <= 64;
    const regular = instructions.every((each) => /^\s*\d+ +\d+ +\d+ +\d+\s*$/.test(each));
    if (!fits || !regular || instructions.length === 0)
      return refuse(
        'takes a length and as many instructions of four numbers',
        'Generate it with nfbpf_compile.',
      );
    return [length, ...instructions.map((each) => each.trim().split(/ +/).map(Number).join(' '))].join(',');
  }),
  print: (value) => `"${value}"`,
};

export const PAYLOAD: readonly ExtensionRow[] = [
  {
    kind: 'match',
    name: 'string',
    options: [
      ...exclusive(
        option('--string', plainPattern, { not: true }),
        option('--hex-string', hexPattern, { not: true }),
      ),
      option('--algo', exactly('bm', 'kmp'), { required: true }),
      option('--from', integer(65535), { hidden: '0' }),
      option('--to', integer(65535), { hidden: '65535' }),
      option('--icase'),
    ],
    finish: pattern,
  },
  { kind: 'match', name: 'u32', options: [option('--u32', words, { not: true, required: true })] },
  {
    kind: 'match',
    name: 'bpf',
    oneOf: 'any',
    options: exclusive(
      option('--bytecode', program),
      option('--object-pinned', word(511, 1, ['/sys/fs/bpf/program'])),
    ),
  },
];
