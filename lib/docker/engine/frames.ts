import { Failure } from '../../failure';

export interface Frame {
  readonly stream: 'stdout' | 'stderr';
  readonly data: Buffer;
}

export interface FrameSplitter {
  /**
   * What has come, in order. Pieces of a frame are handed on as they come, never collected. Neighbours of one stream
   * come as one piece, moved together within the chunk, which nobody else may hold: a gigabyte of short lines would
   * otherwise be a million small objects, and the garbage of it more memory than all that is kept.
   */
  readonly split: (chunk: Buffer) => readonly Frame[];
  /** Throws when the last frame is not whole. */
  readonly end: () => void;
}

const HEADER = 8;
/** A damaged length would make us wait for gigabytes. Docker writes at most 64 KiB or so at once. */
const LONGEST = 64 * 1024 * 1024;

/** Takes the two streams of a container apart again. No stream of its own: a gigabyte of short lines goes through here. */
export function splitFrames(): FrameSplitter {
  const header = Buffer.alloc(HEADER);
  let headerBytes = 0;
  let left = 0;
  let stream: Frame['stream'] = 'stdout';
  return {
    split: (chunk) => {
      const frames: Frame[] = [];
      let at = 0;
      let from = 0;
      let to = 0;
      const handOn = () => {
        if (to > from) frames.push({ stream, data: chunk.subarray(from, to) });
        from = to;
      };
      while (at < chunk.length) {
        if (left === 0) {
          const copied = chunk.copy(header, headerBytes, at, at + HEADER - headerBytes);
          at += copied;
          headerBytes += copied;
          if (headerBytes < HEADER) break;
          headerBytes = 0;
          const kind = header[0];
          left = header.readUInt32BE(4);
          if ((kind !== 0 && kind !== 1 && kind !== 2) || left > LONGEST)
            throw broken('is not framed as Docker frames it');
          const next = kind === 2 ? 'stderr' : 'stdout';
          if (next !== stream) handOn();
          stream = next;
          continue;
        }
        const end = Math.min(chunk.length, at + left);
        // What is written lies before what is still to be read, always.
        if (to !== at) chunk.copyWithin(to, at, end);
        to += end - at;
        left -= end - at;
        at = end;
      }
      handOn();
      return frames;
    },
    end: () => {
      if (left > 0 || headerBytes > 0) throw broken('broke off in the middle');
    },
  };
}

/** A container with a terminal has one stream without frames. */
export function oneFrame(): FrameSplitter {
  return { split: (data) => [{ stream: 'stdout', data }], end: () => undefined };
}

function broken(how: string): Failure {
  return new Failure({
    code: 'docker_answer_unreadable',
    subject: 'the output of a container',
    message: `The output of a container ${how}`,
    nextStep: 'Read it once more; if it stays so, look at it on the host (docker logs).',
  });
}
