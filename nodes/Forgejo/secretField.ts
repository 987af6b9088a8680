import { secretText } from '../declaration';
import type { TextFacts } from '../declaration/fields/text';

/** Itself, or a reference that is resolved when it is used. */
export function secretField({ label, required }: Pick<TextFacts, 'label' | 'required'>) {
  return secretText({
    ...(label !== undefined && { label }),
    ...(required !== undefined && { required }),
    description: 'Best a reference: credential:NAME or infisical:PROJECT/ENVIRONMENT/FOLDER/KEY',
  });
}
