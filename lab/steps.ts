const begin = Date.now();

function print(text: string): void {
  const seconds = Math.round((Date.now() - begin) / 1000);
  process.stdout.write(`[${String(seconds).padStart(4)} s] ${text}\n`);
}

/** One line when a step is done; a step that takes longer than a moment is announced first, so nobody stares at nothing. */
export async function step<T>(title: string, work: () => Promise<T>): Promise<T> {
  const started = Date.now();
  const took = () => `${((Date.now() - started) / 1000).toFixed(1)} s`;
  let done = () => {
    print(title);
  };
  const announcement = setTimeout(() => {
    print(`${title} …`);
    done = () => {
      print(`${title}: done in ${took()}`);
    };
  }, 1500);
  try {
    const result = await work();
    done();
    return result;
  } catch (error) {
    print(`${title}: failed after ${took()}`);
    throw error;
  } finally {
    clearTimeout(announcement);
  }
}

export { print as say };
