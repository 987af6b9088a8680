import { Transform, type TransformCallback } from 'node:stream';

export interface Frame {
  readonly stream: 'stdout' | 'stderr';
  readonly data: Buffer;
}

const HEADER = 8;
/** A damaged length would make us wait for gigabytes. Docker writes at most 64 KiB or so at once. */
const LONGEST = 64 * 1024 * 1024;

/** Takes the two streams of a container apart again. Pieces of a frame are handed on as they come, never collected. */
export function splitFrames(): Transform {
  let header = Buffer.alloc(0);
  let left = 0;
  let stream: Frame['stream'] = 'stdout';
  return new Transform({
    readableObjectMode: true,
    transform(chunk: Buffer, _encoding, done: TransformCallback) {
      let rest = chunk;
      while (rest.length > 0) {
        if (left === 0) {
          const wanted = HEADER - header.length;
          header = Buffer.concat([header, rest.subarray(0, wanted)]);
          rest = rest.subarray(wanted);
          if (header.length < HEADER) break;
          const kind = header[0];
          left = header.readUInt32BE(4);
          if ((kind !== 0 && kind !== 1 && kind !== 2) || left > LONGEST) {
            done(new Error('The output of a container is not framed as Docker frames it'));
            return;
          }
          stream = kind === 2 ? 'stderr' : 'stdout';
          header = Buffer.alloc(0);
          continue;
        }
        const data = rest.subarray(0, left);
        left -= data.length;
        rest = rest.subarray(data.length);
        this.push({ stream, data } satisfies Frame);
      }
      done();
    },
    flush(done) {
      done(left > 0 || header.length > 0 ? new Error('The output of a container broke off in the middle') : null);
    },
  });
}

/** A container with a terminal has one stream without frames. */
export function oneFrame(): Transform {
  return new Transform({
    readableObjectMode: true,
    transform(data: Buffer, _encoding, done) {
      done(null, { stream: 'stdout', data } satisfies Frame);
    },
  });
}
