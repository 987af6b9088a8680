import { canonicalIPv4, canonicalIPv6 } from './address';
import { readText, writeText } from './character-string';
import { invalid, quoted, type Place } from './invalid';
import { targetName } from './name';
import { canonicalParameters } from './service-parameters';

/** What a field of a record may hold: how it is parsed from JSON, read from a zone file, and written to one. */
export interface Kind<V extends string | number> {
  readonly parse: (input: unknown, place: Place, zone: string) => V;
  readonly read: (tokens: Tokens, place: Place, zone: string) => V;
  readonly write: (value: V) => string;
  /** What stands for a field that is left out. */
  readonly absent?: V;
}

/** The fields of one entry, taken one after the other. */
export interface Tokens {
  /** Relative names of a zone file are below this. */
  readonly origin: string;
  readonly peek: () => string | undefined;
  readonly next: (place: Place) => string;
  readonly rest: () => readonly string[];
}

export function tokensOf(list: readonly string[], origin: string): Tokens {
  let position = 0;
  return {
    origin,
    peek: () => list[position],
    next: (place) => {
      const token = list[position++];
      if (token === undefined) throw invalid(place, 'is missing');
      return token;
    },
    rest: () => {
      const rest = list.slice(position);
      position = list.length;
      return rest;
    },
  };
}

/** A kind whose zone-file form is one bare token that means the same as the text in JSON. */
function token<V extends string | number>(
  parse: Kind<V>['parse'],
  write: (value: V) => string = String,
  absent?: V,
): Kind<V> {
  return {
    parse,
    read: (tokens, place, zone) => parse(tokens.next(place), place, zone),
    write,
    ...(absent === undefined ? {} : { absent }),
  };
}

function number(input: unknown, place: Place, wanted: string): number {
  const value = typeof input === 'string' && input.trim() !== '' ? Number(input) : input;
  if (typeof value !== 'number' || !Number.isFinite(value)) {
    throw invalid(place, `is ${quoted(input)}, where ${wanted} has to stand`);
  }
  return value;
}

export function whole(most: number, absent?: number): Kind<number> {
  const wanted = `a whole number from 0 to ${most}`;
  return token(
    (input, place) => {
      const value = number(input, place, wanted);
      if (!Number.isInteger(value) || value < 0 || value > most) {
        throw invalid(place, `is ${value}, where ${wanted} has to stand`);
      }
      return value;
    },
    String,
    absent,
  );
}

/** A whole number or part of one that a LOC record may leave out in a zone file. */
export function sexagesimal(most: number, decimals: number): Kind<number> {
  const wanted = `a number from 0 to ${most}`;
  const parse = (input: unknown, place: Place) => {
    const value = number(input, place, wanted);
    if (value < 0 || value > most || (decimals === 0 && !Number.isInteger(value))) {
      throw invalid(place, `is ${value}, where ${wanted} has to stand`);
    }
    return Number(value.toFixed(decimals));
  };
  return {
    parse,
    read: (tokens, place) => (/^[0-9]/u.test(tokens.peek() ?? '') ? parse(tokens.next(place), place) : 0),
    write: (value) => value.toFixed(decimals),
    absent: 0,
  };
}

/** A length in metres, in centimetre steps: `12.50m`. */
export function metres(least: number, most: number, absent: number): Kind<number> {
  const wanted = `a number of metres from ${least} to ${most}`;
  const parse = (input: unknown, place: Place) => {
    const value = number(typeof input === 'string' ? input.replace(/m$/iu, '') : input, place, wanted);
    if (value < least || value > most) throw invalid(place, `is ${value}, where ${wanted} has to stand`);
    return Number(value.toFixed(2));
  };
  return {
    parse,
    read: (tokens, place) => (tokens.peek() === undefined ? absent : parse(tokens.next(place), place)),
    write: (value) => `${value.toFixed(2)}m`,
    absent,
  };
}

export function oneOf(...choices: readonly string[]): Kind<string> {
  return token((input, place) => {
    const value = typeof input === 'string' ? input.toUpperCase() : '';
    if (!choices.includes(value)) throw invalid(place, `is ${quoted(input)}; it can be ${choices.join(' or ')}`);
    return value;
  });
}

function text(input: unknown, place: Place): string {
  if (typeof input !== 'string') throw invalid(place, `is ${quoted(input)}, where text has to stand`);
  return input;
}

export const ipv4 = token((input, place) => {
  const address = canonicalIPv4(text(input, place).trim());
  if (address === undefined) throw invalid(place, `is ${quoted(input)}, which is no IPv4 address`);
  return address;
});

export const ipv6 = token((input, place) => {
  const address = canonicalIPv6(text(input, place).trim());
  if (address === undefined) throw invalid(place, `is ${quoted(input)}, which is no IPv6 address`);
  return address;
});

/** A name that the record points at. `orNone` allows the root, which says that there is none. */
export function host(rule: 'a name' | 'a name or none'): Kind<string> {
  const check = (name: string, place: Place) => {
    if (name === '.' && rule === 'a name') throw invalid(place, 'is the root, where the name of a host has to stand');
    if (name !== '.' && !name.includes('.')) {
      throw invalid(place, `is ${quoted(name)}, a single word`, `Write the whole name, like ${name}.example.com.`);
    }
    return name;
  };
  return {
    parse: (input, place, zone) => check(targetName(text(input, place), zone), place),
    read: (tokens, place) => {
      const typed = tokens.next(place);
      const whole = typed === '@' || typed.endsWith('.') || tokens.origin === '.' ? typed : `${typed}.${tokens.origin}`;
      return check(targetName(whole, tokens.origin), place);
    },
    write: (name) => (name === '.' ? '.' : `${name}.`),
  };
}

/** One quoted string of at most 255 bytes. */
export function string(normalise: (value: string) => string = (value) => value): Kind<string> {
  const check = (value: string, place: Place) => {
    if (Buffer.byteLength(value) > 255) throw invalid(place, 'is longer than the 255 bytes that fit');
    return normalise(value);
  };
  return {
    parse: (input, place) => check(text(input, place), place),
    read: (tokens, place) => {
      const value = readText([tokens.next(place)]);
      if (value === undefined) throw invalid(place, 'is not readable as UTF-8 text');
      return check(value, place);
    },
    write: writeText,
  };
}

/** Any amount of text: cut into strings on the way out, joined on the way in. */
export const longText: Kind<string> = {
  parse: (input, place) => text(input, place),
  read: (tokens, place) => {
    if (tokens.peek() === undefined) throw invalid(place, 'is missing');
    const value = readText(tokens.rest());
    if (value === undefined) throw invalid(place, 'is not readable as UTF-8 text');
    return value;
  },
  write: writeText,
};

/** The value of a CAA or URI record: one string that may be longer than 255 bytes. */
export const longString: Kind<string> = {
  parse: (input, place) => text(input, place),
  read: (tokens, place) => {
    const value = readText([tokens.next(place)]);
    if (value === undefined) throw invalid(place, 'is not readable as UTF-8 text');
    return value;
  },
  write: (value) => `"${writeText(value).slice(1, -1).replaceAll('" "', '')}"`,
};

export const tag: Kind<string> = token((input, place) => {
  const value = text(input, place).toLowerCase();
  if (!/^[a-z0-9]{1,15}$/u.test(value)) throw invalid(place, `is ${quoted(input)}; it is a word like issue or iodef`);
  return value;
});

/** A kind that takes all fields that are left, because white space inside it means nothing. */
function packed(normalise: (input: string) => string | undefined, wanted: string): Kind<string> {
  const parse = (input: unknown, place: Place) => {
    const value = normalise(text(input, place).replaceAll(/\s+/gu, ''));
    if (value === undefined || value === '') throw invalid(place, `is ${quoted(input)}, which is no ${wanted}`);
    return value;
  };
  return { parse, read: (tokens, place) => parse(tokens.rest().join(''), place), write: (value) => value };
}

export const hex = packed(
  (input) => (/^(?:[0-9a-f]{2})+$/iu.test(input) ? input.toLowerCase() : undefined),
  'hexadecimal text',
);

export const base64 = packed((input) => {
  if (!/^[A-Za-z0-9+/]+={0,2}$/u.test(input)) return undefined;
  return Buffer.from(input, 'base64').toString('base64');
}, 'base64 text');

/** The parameters of an SVCB or HTTPS record, as they stand in a zone file: `alpn="h3,h2" port="8443"`. */
export const parameters: Kind<string> = {
  parse: (input, place) => {
    const written = text(input, place).trim();
    const value = canonicalParameters(written.match(/(?:"(?:\\.|[^"\\])*"|\\.|[^\s"\\])+/gu) ?? []);
    if (value === undefined) throw invalid(place, `is ${quoted(input)}; write it like alpn="h3,h2" port="8443"`);
    return value;
  },
  read: (tokens, place) => {
    const value = canonicalParameters(tokens.rest());
    if (value === undefined) throw invalid(place, 'holds a parameter that is unknown, malformed or given twice');
    return value;
  },
  write: (value) => value,
  absent: '',
};
