/** Programs that manage their own rules on a host, by their names in `may_remove`. */
export const PROGRAM_NAMES = [
  'docker',
  'fail2ban',
  'kube-proxy',
  'libvirt',
  'calico',
  'cilium',
  'flannel',
  'weave',
  'cni',
  'podman',
  'nomad',
  'tailscale',
  'crowdsec',
  'sshguard',
] as const;

export type ProgramName = (typeof PROGRAM_NAMES)[number];
