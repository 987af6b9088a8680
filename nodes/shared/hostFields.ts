import { text, toggle } from '../declaration';

export const hostKeysField = text({
  label: 'Host Keys',
  multiline: true,
  placeholder: 'bruno=203.0.113.7 SHA256:…',
  description: 'Host keys from an inventory, where the credential allows them',
});

export const ignoreHoldField = toggle({
  label: 'Ignore Hold',
  default: false,
  description: 'Whether to go on although somebody has put automatic changes of this host on hold',
});
