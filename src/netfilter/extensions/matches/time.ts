/** The time match: hours, days and dates, all in UTC unless `--kerneltz`. */
import type { Option } from '../../model.js';
import {
  type ExtensionRow,
  given,
  has,
  option,
  type Refusal,
  refuse,
  type ValueType,
  valueGiven,
} from '../row.js';
import { kind } from '../values.js';

const two = (value: number): string => String(value).padStart(2, '0');

/** `9:00`, `09:00:30` → `09:00:00`, `09:00:30`. */
const clock: ValueType = kind(['9:00', '23:59:59', '00:00', '7:5'], (text) => {
  const found = /^(\d{1,2}):(\d{1,2})(?::(\d{1,2}))?$/.exec(text);
  const [hour, minute, second] = [Number(found?.[1]), Number(found?.[2]), Number(found?.[3] ?? 0)];
  const fits = found !== null && hour <= 23 && minute <= 59 && second <= 59;
  return fits
    ? [hour, minute, second].map(two).join(':')
    : refuse(`takes a time such as 09:30, not "${text}"`);
});

/** The last second that a signed 32-bit clock counts, which stands for no end. */
const LAST_DATE = '2038-01-19T03:14:07';
const LAST_SECOND = 2_147_483_647;

/** `2027`, `2027-01-31`, `2027-01-31T12:30` → the whole date and time. */
const date: ValueType = kind(['2027', '2027-01-31', '2027-1-31T12:30', '2030-12-31T23:59:59'], (text) => {
  const found = /^(\d{4})(?:-(\d{1,2})(?:-(\d{1,2})(?:T(\d{1,2})(?::(\d{1,2})(?::(\d{1,2}))?)?)?)?)?$/.exec(
    text,
  );
  const parts = (found?.slice(1) ?? []).map((part, index) => Number(part ?? (index < 3 ? 1 : 0)));
  const [year = 0, month = 0, day = 0, hour = 0, minute = 0, second = 0] = parts;
  const seconds = Date.UTC(year, month - 1, day, hour, minute, second) / 1000;
  const fits =
    month >= 1 && month <= 12 && day >= 1 && day <= 31 && hour <= 23 && minute <= 59 && second <= 59;
  return found !== null && fits && year >= 1970 && seconds <= LAST_SECOND
    ? new Date(seconds * 1000).toISOString().slice(0, 19)
    : refuse(`takes a date such as 2027-01-31T12:00:00 before ${LAST_DATE}, not "${text}"`);
});

const WEEKDAYS = ['Mon', 'Tue', 'Wed', 'Thu', 'Fri', 'Sat', 'Sun'];

/** Numbers (1 is Monday) or names, of which the first two letters count. */
const weekdays: ValueType = kind(['Mon,Fri', '1,2,3', 'Sunday,Mo', 'Sat'], (text) => {
  const chosen = new Set<string>();
  for (const part of text.split(',')) {
    const name = /^[1-7]$/.test(part)
      ? WEEKDAYS[Number(part) - 1]
      : WEEKDAYS.find((each) => part.length > 1 && part.startsWith(each.slice(0, 2)));
    if (name === undefined)
      return refuse(`does not accept the day "${part}"`, `Write names of ${WEEKDAYS.join(', ')}.`);
    chosen.add(name);
  }
  return WEEKDAYS.filter((name) => chosen.has(name)).join(',');
});

const MONTHDAYS = Array.from({ length: 31 }, (_, index) => String(index + 1));

const monthdays: ValueType = kind(['1', '31,15', '1,2,3,4,5'], (text) => {
  const parts = text.split(',');
  const unknown = parts.find((part) => !MONTHDAYS.includes(part));
  if (unknown !== undefined)
    return refuse(`does not accept the day "${unknown}"`, 'Write days from 1 to 31, with commas.');
  return MONTHDAYS.filter((day) => parts.includes(day)).join(',');
});

/** The kernel keeps a set of days, so "not these" is printed as the others, and all days as nothing. */
function days(options: readonly Option[], flag: string, all: readonly string[]): readonly Option[] {
  const one = options.find((each) => each.flag === flag);
  if (one === undefined) return [];
  const named = one.values[0]?.split(',') ?? [];
  const chosen = all.filter((day) => named.includes(day) !== one.negated);
  return chosen.length === all.length ? [] : [given(flag, chosen.join(','))];
}

const MIDNIGHT = '00:00:00';
const LAST_TIME = '23:59:59';
const EPOCH = '1970-01-01T00:00:00';

function finish(options: readonly Option[]): readonly Option[] | Refusal {
  const [start, stop] = [
    valueGiven(options, '--timestart') ?? MIDNIGHT,
    valueGiven(options, '--timestop') ?? LAST_TIME,
  ];
  const from = valueGiven(options, '--datestart') ?? EPOCH;
  const until = valueGiven(options, '--datestop') ?? LAST_DATE;
  if (has(options, '--contiguous') && start < stop)
    return refuse('takes --contiguous only where --timestop comes before --timestart');
  for (const [flag, all] of [
    ['--weekdays', WEEKDAYS],
    ['--monthdays', MONTHDAYS],
  ] as const)
    if (days(options, flag, all)[0]?.values[0] === '')
      return refuse(`would never match: ${flag} leaves no day`);
  return [
    ...(start === MIDNIGHT && stop === LAST_TIME
      ? []
      : [given('--timestart', start), given('--timestop', stop)]),
    ...days(options, '--monthdays', MONTHDAYS),
    ...days(options, '--weekdays', WEEKDAYS),
    ...(from === EPOCH ? [] : [given('--datestart', from)]),
    given('--datestop', until),
    ...(has(options, '--kerneltz') || has(options, '--localtz') ? [given('--kerneltz')] : []),
    ...(has(options, '--contiguous') ? [given('--contiguous')] : []),
  ];
}

export const TIME: readonly ExtensionRow[] = [
  {
    kind: 'match',
    name: 'time',
    options: [
      option('--timestart', clock),
      option('--timestop', clock),
      option('--monthdays', monthdays, { not: true }),
      option('--weekdays', weekdays, { not: true }),
      option('--datestart', date),
      option('--datestop', date),
      option('--kerneltz', [], { excludes: ['--utc'] }),
      option('--localtz', [], { excludes: ['--utc'] }),
      option('--utc'),
      option('--contiguous'),
    ],
    finish,
  },
];
