import { actionNode, resource } from '../declaration';
import { approvalDesk } from '../shared/approvals';
import { controlCredentials } from '../shared/controls';
import { planKeyCredentialTest } from '../shared/planKeyCredentialTest';
import { stateCredentialTest } from '../shared/stateCredentialTest';
import { actionOperations } from './actions/action.operations';
import { estateOperations, pricingOperations } from './actions/estate.operations';
import {
  imageOperations,
  isoOperations,
  locationOperations,
  placementGroupOperations,
  serverTypeOperations,
  sshKeyOperations,
} from './actions/image.operations';
import { recordSetOperations, zoneOperations } from './actions/dns.operations';
import { zonePlanOperations } from './actions/dnsPlan.operations';
import {
  certificateOperations,
  loadBalancerOperations,
  loadBalancerTypeOperations,
} from './actions/loadBalancer.operations';
import {
  firewallOperations,
  floatingIpOperations,
  networkOperations,
  primaryIpOperations,
} from './actions/network.operations';
import { serverOperations } from './actions/server.operations';
import { volumeOperations } from './actions/storage.operations';
import {
  storageBoxOperations,
  storageBoxSnapshotOperations,
  storageBoxSubaccountOperations,
  storageBoxTypeOperations,
} from './actions/storageBox.operations';
import { secretsCredentialTest } from '../Host/methods/secretsCredentialTest';
import { infisicalCredentialTest } from '../shared/infisicalCredentialTest';
import { secretCredentials } from '../shared/secretCredentials';
import { hetznerContext } from './context';
import { hetznerCredentialTest } from './methods/hetznerCredentialTest';
import type { HetznerContext } from './operation';

/** Where passwords and keys are given. */
const withSecrets = ['certificate', 'storageBox', 'storageBoxSubaccount'];

export const Hetzner = actionNode<HetznerContext>({
  name: 'hetzner',
  displayName: 'Hetzner',
  description: 'Servers, snapshots, volumes, networks, firewalls, load balancers, storage boxes and DNS at Hetzner',
  icon: { light: 'file:hetzner.svg', dark: 'file:hetzner.dark.svg' },
  credentials: [
    { name: 'selfhostHetzner', required: true, testedBy: 'hetznerCredentialTest' },
    ...secretCredentials({ resource: withSecrets }),
    ...controlCredentials,
  ],
  resources: [
    resource({ name: 'action', label: 'Action', operations: actionOperations }),
    resource({ name: 'certificate', label: 'Certificate', operations: certificateOperations }),
    resource({ name: 'zone', label: 'DNS Zone', operations: [...zonePlanOperations, ...zoneOperations] }),
    resource({ name: 'estate', label: 'Estate', operations: estateOperations }),
    resource({ name: 'firewall', label: 'Firewall', operations: firewallOperations }),
    resource({ name: 'floatingIp', label: 'Floating IP', operations: floatingIpOperations }),
    resource({ name: 'image', label: 'Image', operations: imageOperations }),
    resource({ name: 'iso', label: 'ISO', operations: isoOperations }),
    resource({ name: 'loadBalancer', label: 'Load Balancer', operations: loadBalancerOperations }),
    resource({ name: 'loadBalancerType', label: 'Load Balancer Type', operations: loadBalancerTypeOperations }),
    resource({ name: 'location', label: 'Location', operations: locationOperations }),
    resource({ name: 'network', label: 'Network', operations: networkOperations }),
    resource({ name: 'placementGroup', label: 'Placement Group', operations: placementGroupOperations }),
    resource({ name: 'pricing', label: 'Pricing', operations: pricingOperations }),
    resource({ name: 'primaryIp', label: 'Primary IP', operations: primaryIpOperations }),
    resource({ name: 'recordSet', label: 'Record Set', operations: recordSetOperations }),
    resource({ name: 'server', label: 'Server', operations: serverOperations }),
    resource({ name: 'serverType', label: 'Server Type', operations: serverTypeOperations }),
    resource({ name: 'sshKey', label: 'SSH Key', operations: sshKeyOperations }),
    resource({ name: 'storageBox', label: 'Storage Box', operations: storageBoxOperations }),
    resource({ name: 'storageBoxSnapshot', label: 'Storage Box Snapshot', operations: storageBoxSnapshotOperations }),
    resource({
      name: 'storageBoxSubaccount',
      label: 'Storage Box Subaccount',
      operations: storageBoxSubaccountOperations,
    }),
    resource({ name: 'storageBoxType', label: 'Storage Box Type', operations: storageBoxTypeOperations }),
    resource({ name: 'volume', label: 'Volume', operations: volumeOperations }),
  ],
  methods: {
    credentialTest: {
      hetznerCredentialTest,
      infisicalCredentialTest,
      planKeyCredentialTest,
      secretsCredentialTest,
      stateCredentialTest,
    },
  },
  approvals: approvalDesk,
  context: hetznerContext,
});
