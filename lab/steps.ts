const begin = Date.now();

function print(text: string): void {
  const seconds = Math.round((Date.now() - begin) / 1000);
  process.stdout.write(`[${String(seconds).padStart(4)} s] ${text}\n`);
}

/** One line when a step is done; a step that takes longer than a moment is announced first, so nobody stares at nothing. */
export async function step<T>(title: string, work: () => Promise<T>): Promise<T> {
  const started = Date.now();
  let announced = false;
  const announcement = setTimeout(() => {
    announced = true;
    print(`${title} …`);
  }, 1500);
  try {
    const result = await work();
    clearTimeout(announcement);
    print(announced ? `${title}: done in ${((Date.now() - started) / 1000).toFixed(1)} s` : title);
    return result;
  } catch (error) {
    clearTimeout(announcement);
    print(`${title}: failed after ${((Date.now() - started) / 1000).toFixed(1)} s`);
    throw error;
  }
}

export { print as say };
