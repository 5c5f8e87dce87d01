# bash completion for mltrail; made by "mltrail completion bash"
_mltrail() {
    local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD-1]} cmd= i options= commands='init serve append import show search report ask lineage verify monitor prove access export approve settings token anchor key recover reconcile proxy witness index digest completion help version'
    COMPREPLY=()
    for ((i = 1; i < COMP_CWORD; i++)); do
        case " $commands " in *" ${COMP_WORDS[i]} "*) cmd=${COMP_WORDS[i]}; break ;; esac
    done
    case "$cmd:$prev" in
    init:--origin|init:-o) return ;;
    init:--pkcs11) return ;;
    init:--pkcs11-kek) return ;;
    serve:--listen|serve:-l) return ;;
    serve:--port-file) COMPREPLY=($(compgen -f -- "$cur")); return ;;
    serve:--tls-cert) COMPREPLY=($(compgen -f -- "$cur")); return ;;
    serve:--tls-key) COMPREPLY=($(compgen -f -- "$cur")); return ;;
    serve:--tls-client-ca) COMPREPLY=($(compgen -f -- "$cur")); return ;;
    serve:--threads) return ;;
    serve:--segment-entries) return ;;
    serve:--policy) COMPREPLY=($(compgen -f -- "$cur")); return ;;
    serve:--witness-mode) COMPREPLY=($(compgen -W 'prefer require' -- "$cur")); return ;;
    serve:--publish-interval) return ;;
    serve:--tsa) return ;;
    serve:--tsa-interval) return ;;
    serve:--tsa-roots) COMPREPLY=($(compgen -f -- "$cur")); return ;;
    serve:--scrub-interval) COMPREPLY=($(compgen -W 'off' -- "$cur")); return ;;
    serve:--scrub-rate) return ;;
    serve:--mlflow-webhook-secret-file) COMPREPLY=($(compgen -f -- "$cur")); return ;;
    append:--kind|append:-k) COMPREPLY=($(compgen -W 'prediction dataset.version training.run model.version approval transition access decision oversight explanation notice outcome correction tally capture batch' -- "$cur")); return ;;
    append:--ack) COMPREPLY=($(compgen -W 'durable proven' -- "$cur")); return ;;
    append:--receipts|append:-r) COMPREPLY=($(compgen -f -- "$cur")); return ;;
    import:--set|import:-s) return ;;
    import:--schema) COMPREPLY=($(compgen -f -- "$cur")); return ;;
    import:--zone|import:-z) return ;;
    search:--kind|search:-k) COMPREPLY=($(compgen -W 'prediction dataset.version training.run model.version approval transition access decision oversight explanation notice outcome correction tally control alert export erasure hold anchor' -- "$cur")); return ;;
    search:--model|search:-m) return ;;
    search:--model-version) return ;;
    search:--node) return ;;
    search:--principal) return ;;
    search:--producer) return ;;
    search:--subject) return ;;
    search:--from) return ;;
    search:--to) return ;;
    search:--order) COMPREPLY=($(compgen -W 'asc desc' -- "$cur")); return ;;
    search:--limit|search:-n) return ;;
    report:--format|report:-f) COMPREPLY=($(compgen -W 'text json html bundle' -- "$cur")); return ;;
    report:--output|report:-o) COMPREPLY=($(compgen -f -- "$cur")); return ;;
    report:--at-size) return ;;
    report:--disclose) return ;;
    report:--mask) return ;;
    ask:--request-id|ask:-r) return ;;
    ask:--model|ask:-m) return ;;
    ask:--model-version) return ;;
    ask:--at) return ;;
    ask:--at-size) return ;;
    ask:--limit|ask:-n) return ;;
    lineage:--limit|lineage:-n) return ;;
    lineage:--cursor) return ;;
    verify:--key|verify:-k) COMPREPLY=($(compgen -f -- "$cur")); return ;;
    verify:--policy|verify:-p) COMPREPLY=($(compgen -f -- "$cur")); return ;;
    verify:--entry|verify:-e) COMPREPLY=($(compgen -f -- "$cur")); return ;;
    verify:--chain|verify:-c) COMPREPLY=($(compgen -f -- "$cur")); return ;;
    verify:--receipts|verify:-r) COMPREPLY=($(compgen -f -- "$cur")); return ;;
    verify:--tsa-roots) COMPREPLY=($(compgen -f -- "$cur")); return ;;
    verify:--threads|verify:-n) return ;;
    verify:--resume) COMPREPLY=($(compgen -f -- "$cur")); return ;;
    monitor:--key|monitor:-k) COMPREPLY=($(compgen -f -- "$cur")); return ;;
    monitor:--policy|monitor:-p) COMPREPLY=($(compgen -f -- "$cur")); return ;;
    monitor:--state|monitor:-s) COMPREPLY=($(compgen -d -- "$cur")); return ;;
    monitor:--mirror|monitor:-m) COMPREPLY=($(compgen -d -- "$cur")); return ;;
    monitor:--interval|monitor:-i) return ;;
    monitor:--max-age|monitor:-a) return ;;
    monitor:--alarm-findings) COMPREPLY=($(compgen -W 'none high all' -- "$cur")); return ;;
    monitor:--webhook|monitor:-w) return ;;
    monitor:--exec|monitor:-x) return ;;
    monitor:--reread) return ;;
    prove:--output|prove:-o) COMPREPLY=($(compgen -f -- "$cur")); return ;;
    prove:--entry|prove:-e) COMPREPLY=($(compgen -f -- "$cur")); return ;;
    access:--resource|access:-r) COMPREPLY=($(compgen -W 'model_registry prediction_log training_data trail config other' -- "$cur")); return ;;
    access:--principal|access:-p) return ;;
    access:--from) return ;;
    access:--to) return ;;
    access:--limit|access:-n) return ;;
    export:--from) return ;;
    export:--to) return ;;
    export:--from-entry) return ;;
    export:--to-entry) return ;;
    export:--kind|export:-k) COMPREPLY=($(compgen -W 'prediction dataset.version training.run model.version approval transition access decision oversight explanation notice outcome correction tally control alert export erasure hold anchor' -- "$cur")); return ;;
    export:--model|export:-m) return ;;
    export:--format|export:-f) COMPREPLY=($(compgen -W 'ndjson bundle' -- "$cur")); return ;;
    export:--output|export:-o) COMPREPLY=($(compgen -f -- "$cur")); return ;;
    approve:--reference|approve:-r) return ;;
    approve:--verdict) COMPREPLY=($(compgen -W 'approved rejected revoked' -- "$cur")); return ;;
    approve:--approver) return ;;
    approve:--reason) return ;;
    approve:--artifact-hash) return ;;
    approve:--expires-at) return ;;
    approve:--role) return ;;
    approve:--condition) return ;;
    approve:--evidence) return ;;
    approve:--key|approve:-k) COMPREPLY=($(compgen -f -- "$cur")); return ;;
    approve:--statement) COMPREPLY=($(compgen -f -- "$cur")); return ;;
    approve:--signature) COMPREPLY=($(compgen -f -- "$cur")); return ;;
    settings:--reason|settings:-r) return ;;
    token:--allow|token:-a) COMPREPLY=($(compgen -W 'append read approve erase mirror admin' -- "$cur")); return ;;
    token:--kinds) return ;;
    token:--models) return ;;
    token:--datasets) return ;;
    token:--expires|token:-e) return ;;
    anchor:--tsa) return ;;
    anchor:--roots) COMPREPLY=($(compgen -f -- "$cur")); return ;;
    anchor:--output|anchor:-o) COMPREPLY=($(compgen -d -- "$cur")); return ;;
    anchor:--limit|anchor:-n) return ;;
    key:--reason|key:-r) return ;;
    key:--pkcs11) return ;;
    recover:--reason|recover:-r) return ;;
    recover:--origin|recover:-o) return ;;
    recover:--pkcs11) return ;;
    reconcile:--from) return ;;
    reconcile:--to) return ;;
    reconcile:--endpoint) return ;;
    reconcile:--limit|reconcile:-n) return ;;
    proxy:--upstream|proxy:-u) return ;;
    proxy:--listen|proxy:-l) return ;;
    proxy:--port-file) COMPREPLY=($(compgen -f -- "$cur")); return ;;
    proxy:--name|proxy:-n) return ;;
    proxy:--trust-user-header) return ;;
    proxy:--upstream-cacert) COMPREPLY=($(compgen -f -- "$cur")); return ;;
    proxy:--digest-max) return ;;
    witness:--name|witness:-n) return ;;
    witness:--policy) COMPREPLY=($(compgen -f -- "$cur")); return ;;
    witness:--listen|witness:-l) return ;;
    witness:--port-file) COMPREPLY=($(compgen -f -- "$cur")); return ;;
    digest:--check|digest:-c) COMPREPLY=($(compgen -f -- "$cur")); return ;;
    digest:--ignore|digest:-i) return ;;
    *:--trail|*:-t) COMPREPLY=($(compgen -d -- "$cur")); return ;;
    *:--state) COMPREPLY=($(compgen -d -- "$cur")); return ;;
    *:--token-file) COMPREPLY=($(compgen -f -- "$cur")); return ;;
    *:--cacert) COMPREPLY=($(compgen -f -- "$cur")); return ;;
    *:--cert) COMPREPLY=($(compgen -f -- "$cur")); return ;;
    *:--key) COMPREPLY=($(compgen -f -- "$cur")); return ;;
    esac
    case "$cmd" in
    init) options=' --origin --raw --public --pkcs11 --pkcs11-kek' ;;
    serve) options=' --listen --port-file --socket-only --tls-cert --tls-key --tls-client-ca --insecure --threads --segment-entries --policy --witness-mode --publish-interval --tsa --tsa-interval --tsa-roots --scrub-interval --scrub-rate --mlflow-webhook-secret-file' ;;
    append) options=' --kind --ack --receipts' ;;
    import) options=' --set --schema --zone' ;;
    show) options='' ;;
    search) options=' --kind --model --model-version --node --principal --producer --subject --from --to --order --limit' ;;
    report) options=' --format --output --at-size --disclose --mask --strict' ;;
    ask) options=' --request-id --model --model-version --at --at-size --limit' ;;
    lineage) options=' --forward --limit --cursor' ;;
    verify) options=' --key --policy --entry --chain --receipts --tsa-roots --threads --no-payloads --resume' ;;
    monitor) options=' --key --policy --state --mirror --once --interval --max-age --alarm-findings --webhook --exec --reread --raw' ;;
    prove) options=' --output --entry' ;;
    access) options=' --resource --principal --from --to --limit' ;;
    export) options=' --from --to --from-entry --to-entry --kind --model --format --output' ;;
    approve) options=' --reference --verdict --approver --reason --artifact-hash --expires-at --role --condition --evidence --key --statement-only --statement --signature' ;;
    settings) options=' --reason' ;;
    token) options=' --allow --kinds --models --datasets --payloads --expires' ;;
    anchor) options=' --tsa --roots --output --limit' ;;
    key) options=' --reason --pkcs11 --in-file --yes' ;;
    recover) options=' --reason --origin --pkcs11 --in-file --yes' ;;
    reconcile) options=' --from --to --endpoint --limit' ;;
    proxy) options=' --upstream --listen --port-file --insecure --fail-closed --fail-open --name --trust-user-header --upstream-cacert --digest-max --record-all' ;;
    witness) options=' --name --policy --listen --port-file --insecure' ;;
    index) options='' ;;
    digest) options=' --manifest --check --ignore' ;;
    completion) options='' ;;
    help) options='' ;;
    version) options='' ;;
    esac
    if [[ $cur == -* ]]; then
        options+=' --trail --state --json --quiet --no-color --token-file --cacert --cert --key --help --version'
        COMPREPLY=($(compgen -W "$options" -- "$cur"))
        return
    fi
    case "$cmd" in
    '') COMPREPLY=($(compgen -W "$commands" -- "$cur")) ;;
    init) COMPREPLY=($(compgen -d -- "$cur")) ;;
    serve) COMPREPLY=($(compgen -d -- "$cur")) ;;
    append) COMPREPLY=($(compgen -f -- "$cur")) ;;
    import) COMPREPLY=($(compgen -W 'bentoml sagemaker kserve-blob cloudevents ndjson' -- "$cur")) ;;
    lineage) COMPREPLY=($(compgen -W 'prediction: model: dataset: job: approval: table: node: entry:' -- "$cur")) ;;
    verify) COMPREPLY=($(compgen -f -- "$cur")) ;;
    monitor) COMPREPLY=($(compgen -d -- "$cur")) ;;
    settings) COMPREPLY=($(compgen -W 'set' -- "$cur")) ;;
    token) COMPREPLY=($(compgen -W 'create list revoke' -- "$cur")) ;;
    anchor) COMPREPLY=($(compgen -W 'now list verify save' -- "$cur")) ;;
    key) COMPREPLY=($(compgen -W 'show export rotate-signing rotate-kek' -- "$cur")) ;;
    recover) COMPREPLY=($(compgen -d -- "$cur")) ;;
    reconcile) COMPREPLY=($(compgen -W 'requests' -- "$cur")) ;;
    witness) COMPREPLY=($(compgen -W 'init add-log serve status' -- "$cur")) ;;
    index) COMPREPLY=($(compgen -W 'status rebuild' -- "$cur")) ;;
    digest) COMPREPLY=($(compgen -d -- "$cur")) ;;
    completion) COMPREPLY=($(compgen -W 'bash' -- "$cur")) ;;
    help) COMPREPLY=($(compgen -W "$commands" -- "$cur")) ;;
    esac
}
complete -o filenames -F _mltrail mltrail
