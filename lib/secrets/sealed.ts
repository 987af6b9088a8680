import { inspect } from 'node:util';

const SHOWN = '[secret]';

/** A secret on its way through our own code. Whatever prints, logs or serializes it by mistake shows only that it is one. */
export class SealedText {
  readonly #text: string;

  constructor(text: string) {
    this.#text = text;
  }

  /** Only for where the value is used. */
  reveal(): string {
    return this.#text;
  }

  toString(): string {
    return SHOWN;
  }

  toJSON(): string {
    return SHOWN;
  }

  [inspect.custom](): string {
    return SHOWN;
  }
}
